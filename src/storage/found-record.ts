import { SerialContent, serialContent, serialExpiresAtMs, serialStamp, serialValueOffset } from '@memdb/protocol';
import {
  expiryBytes,
  kindOf,
  lengthOf,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordExpiresAtMs,
  recordKindLength,
  recordLsnLow,
  recordNode,
} from '../model/record.js';
import type { Floors } from './floors.js';
import type { Segment } from './segment.js';

/** Where a record lies, as `Store.lookup` found it. One object is reused: read it before the next lookup. */
export class FoundRecord {
  /** Memory of the segment; valid until the next turn (segments are recycled). */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  segment: Segment | undefined;
  offset = 0;
  kind = 0;
  /** The key is serial: what else stands here speaks of its content, as if it were a plain version. */
  serial = false;
  keyStart = 0;
  keyLength = 0;
  valueStart = 0;
  valueLength = 0;
  /** Wall clock, Unix milliseconds, from which on the value counts as absent; 0: it never expires. */
  expiresAtMs = 0;
  /** The version's stamp; after a miss the floor, which an absent key answers with. */
  counter = 0;
  node = 0;
  lsn = 0;
  /** Whether a reply may speak of it. */
  durable = false;
  /** The newest version of this key was lost here to damage: whatever else was found is not to be spoken of. */
  lost = false;

  /** The key is not known, hence false: it answers with its partition's floor. Hot. */
  miss(floors: Floors, partition: number): false {
    // Of a key that was lost here the floor says nothing.
    this.serial = false;
    this.counter = this.lost ? 0 : floors.counters[partition];
    this.node = this.lost ? 0 : floors.nodes[partition];
    return false;
  }

  /** Describes the record of a key of `keyLength` bytes; `durable` is the caller's. Hot. */
  read(segment: Segment, offset: number, keyLength: number): void {
    const { view } = segment;
    const kindLength = recordKindLength(view, offset);
    this.bytes = segment.bytes;
    this.view = view;
    this.segment = segment;
    this.offset = offset;
    this.kind = kindOf(kindLength);
    this.serial = false;
    this.keyStart = offset + RECORD_HEADER_BYTES;
    this.keyLength = keyLength;
    const expiresAtMs = recordExpiresAtMs(view, offset);
    const valueAt = RECORD_HEADER_BYTES + keyLength + expiryBytes(expiresAtMs);
    this.valueStart = offset + valueAt;
    this.valueLength = lengthOf(kindLength) - valueAt;
    this.expiresAtMs = expiresAtMs;
    this.counter = recordCounter(view, offset);
    this.node = recordNode(view, offset);
    this.lsn = segment.lsnOf(recordLsnLow(view, offset));
    if (this.kind === RecordKind.serial) this.#readSerial(view, offset + RECORD_HEADER_BYTES + keyLength);
  }

  /** `kind` becomes that of the content: no value is a tombstone; the stamp is the content's. */
  #readSerial(view: DataView, body: number): void {
    this.serial = true;
    const end = this.valueStart + this.valueLength;
    const hasValue = serialContent(view, body) === SerialContent.value;
    this.kind = hasValue ? RecordKind.value : RecordKind.tombstone;
    this.valueStart = Math.min(end, body + serialValueOffset(view, body));
    this.valueLength = end - this.valueStart;
    this.expiresAtMs = serialExpiresAtMs(view, body);
    const stamp = serialStamp(view, body, this.counter, this.node);
    this.counter = stamp.counter;
    this.node = stamp.node;
  }
}
