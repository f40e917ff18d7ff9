/** Requests that follow the last one again, so that a burst never has to wrap: the greatest depth plus one. */
const OVERHANG = 1024;

export type Operation = 'get' | 'set';

/** Requests of one size, encoded before the clock starts; request `i` asks for key number `order[i]`. */
export class RequestPool {
  readonly operation: Operation;
  readonly order: Uint32Array;
  readonly requestBytes: number;
  /** Where the key's bytes begin within a request. */
  readonly keyOffset: number;
  readonly bytes: Buffer;
  readonly view: DataView;

  constructor(
    operation: Operation,
    order: Uint32Array,
    requestBytes: number,
    keyOffset: number,
    encode: (bytes: Buffer, offset: number, index: number, key: number) => void,
  ) {
    this.operation = operation;
    this.order = order;
    this.requestBytes = requestBytes;
    this.keyOffset = keyOffset;
    this.bytes = Buffer.allocUnsafeSlow((order.length + OVERHANG) * requestBytes);
    for (let at = 0; at < order.length + OVERHANG; at++) {
      const index = at % order.length;
      encode(this.bytes, at * requestBytes, index, order[index]);
    }
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  get length(): number {
    return this.order.length;
  }

  /** The encoded requests `first` to `first + count`; a view, so it must not be changed. */
  slice(first: number, count: number): Buffer {
    return this.bytes.subarray(first * this.requestBytes, (first + count) * this.requestBytes);
  }

  /** Whether the 16 bytes at `offset` are the key of request `index`, which is below twice the length. */
  keyMatches(index: number, view: DataView, offset: number): boolean {
    const within = index < this.length ? index : index - this.length;
    const mine = within * this.requestBytes + this.keyOffset;
    for (let at = 0; at < 16; at += 4) {
      if (this.view.getUint32(mine + at, true) !== view.getUint32(offset + at, true)) return false;
    }
    return true;
  }
}
