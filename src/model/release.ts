/** The release that this code is, as package.json names it. */
export const RELEASE = '0.1.0';
