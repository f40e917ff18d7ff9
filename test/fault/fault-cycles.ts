/** How often a fault suite repeats its cycle: `ci` in the test command, more with `npm run fault -- --cycles N`. */
export function cyclesOf(ci: number): number {
  const wanted = Number(process.env.FAULT_CYCLES ?? ci);
  if (!Number.isInteger(wanted) || wanted < 1) throw new Error(`FAULT_CYCLES is ${process.env.FAULT_CYCLES}`);
  return wanted;
}
