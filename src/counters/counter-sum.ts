import type { CounterEntryList } from '@memdb/protocol';

const TWO_32 = 4294967296;
const HIGH_END: number = 2 ** 31;

/**
 * The value of a counter: what its entries added, less what they subtracted, within the signed 64-bit range or beyond it.
 * Halves of 32 bits are summed apart, in numbers that stay exact for two million entries; no bigint.
 *
 * ```ts
 * sum.of(entries);
 * if (!sum.mayTake(amountHigh, amountLow, subtracts)) refuse();
 * ```
 */
export class CounterSum {
  /** After `of`: the value is high × 2^32 + low, with low from 0 to 2^32 - 1. */
  high = 0;
  low = 0;

  /** Takes the value of these entries. */
  of(entries: CounterEntryList): void {
    let high = 0;
    let low = 0;
    for (let index = 0; index < entries.count; index++) {
      high += entries.addedHigh(index) - entries.subtractedHigh(index);
      low += entries.addedLow(index) - entries.subtractedLow(index);
    }
    this.#set(high, low);
  }

  /** Whether the value is one of 64 bits, signed. */
  get isInRange(): boolean {
    return this.high >= -HIGH_END && this.high < HIGH_END;
  }

  /** Whether an add, of an amount from 0 to 2^63, keeps the value in the range, or brings it back towards it. */
  mayTake(amountHigh: number, amountLow: number, subtracts: boolean): boolean {
    const sign = subtracts ? -1 : 1;
    const high = this.high + sign * amountHigh + Math.floor((this.low + sign * amountLow) / TWO_32);
    return subtracts ? high >= -HIGH_END : high < HIGH_END;
  }

  /** Writes the value at `at`, as an i64. It is in range. */
  write(view: DataView, at: number): void {
    view.setUint32(at, this.low, true);
    view.setInt32(at + 4, this.high, true);
  }

  #set(high: number, low: number): void {
    const carry = Math.floor(low / TWO_32);
    this.high = high + carry;
    this.low = low - carry * TWO_32;
  }
}

/**
 * Raises the sum of the entry at `index` that an add goes to, and gives the entry the counter of a newer stamp. False, and
 * nothing changed, when that sum would not fit into 64 bits.
 */
export function raise(
  entries: CounterEntryList,
  index: number,
  counter: number,
  amountHigh: number,
  amountLow: number,
  subtracts: boolean,
): boolean {
  const low = (subtracts ? entries.subtractedLow(index) : entries.addedLow(index)) + amountLow;
  const carry = low >= TWO_32 ? 1 : 0;
  const high = (subtracts ? entries.subtractedHigh(index) : entries.addedHigh(index)) + amountHigh + carry;
  if (high >= TWO_32) return false;
  const rest = low - carry * TWO_32;
  if (subtracts) entries.set(index, counter, entries.addedHigh(index), entries.addedLow(index), high, rest);
  else entries.set(index, counter, high, rest, entries.subtractedHigh(index), entries.subtractedLow(index));
  return true;
}
