/** A key that moves from the owners R0 R1 R2 to R1 R2 R3. */
export const NODES = [0, 1, 2, 3] as const;
export const OLD: readonly number[] = [0, 1, 2];
export const NEW: readonly number[] = [1, 2, 3];

/** Who of the new owners copies the state of whom of the old ones. */
export const STREAMS: readonly (readonly [to: number, from: number])[] = NEW.flatMap((to) =>
  OLD.filter((from) => from !== to).map((from) => [to, from] as const),
);

/** Whether every new owner holds the state of so many old ones, itself included; streams stand from `first` on. */
export function holdsEnough(fields: readonly number[], first: number, sources: number): boolean {
  return NEW.every((target) => {
    let held = OLD.includes(target) ? 1 : 0;
    for (const [index, [to]] of STREAMS.entries()) if (to === target) held += fields[first + index];
    return held >= sources;
  });
}
