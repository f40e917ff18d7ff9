/** Where a record lies, as `Store.lookup` found it. One object is reused: read it before the next lookup. */
export class FoundRecord {
  /** Memory of the segment; valid until the next turn (segments are recycled). */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  offset = 0;
  kind = 0;
  keyStart = 0;
  keyLength = 0;
  valueStart = 0;
  valueLength = 0;
  /** Wall clock, Unix milliseconds, from which on the value counts as absent; 0: it never expires. */
  expiresAtMs = 0;
  /** The version's stamp. */
  counter = 0;
  node = 0;
  lsn = 0;
  /** Whether a reply may speak of it. */
  durable = false;
}
