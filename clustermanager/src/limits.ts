/** Every bound of the manager, with its arithmetic. */

/** Longest body of a request but one that carries a value. The longest has three short fields. */
export const BODY_BYTES_MAX: number = 16 * 1024;
/** Longest value that is stored through the manager: it is for looking and mending, not for loading data. */
export const VALUE_BYTES_MAX: number = 1024 * 1024;
/** A request with a value: base64 takes 4/3, and JSON may write a character as 6 bytes. */
export const VALUE_BODY_BYTES_MAX: number = 6 * VALUE_BYTES_MAX + 1024;
/** Longest request line and headers: a token has 200 bytes, a key in a path up to three times 4096. */
export const HEADER_BYTES_MAX: number = 32 * 1024;
/** Time to send a whole request. */
export const REQUEST_TIMEOUT_MS = 10_000;
export const KEEP_ALIVE_MS = 15_000;
/** How often the two times above are looked at. */
export const CHECK_INTERVAL_MS = 1000;
/** People with a browser open, scripts and probes; more connections than this are refused. */
export const CONNECTIONS_MAX = 512;

/** Attempts to log in, from one address, that may fail at once; one more is earned back each `LOGIN_REFILL_MS`. */
export const LOGIN_FAILURES_MAX = 5;
export const LOGIN_REFILL_MS = 6000;
/** The same for all addresses together: somebody with many addresses guesses no faster than 4 times a second. */
export const LOGIN_FAILURES_ALL_MAX = 100;
export const LOGIN_REFILL_ALL_MS = 250;
/** Addresses whose failures are remembered, 100 bytes each. */
export const LOGIN_ADDRESSES_MAX = 4096;

/** Answers to actions that are kept for repeats, about 1 KiB each, and for how long. */
export const IDEMPOTENT_ANSWERS_MAX = 1000;
export const IDEMPOTENT_ANSWER_MS = 600_000;
/** Longest idempotency key. */
export const IDEMPOTENCY_KEY_CHARACTERS_MAX = 128;

/** How often every node is asked how it is. */
export const POLL_MS = 1000;
/** A node that does not answer within this is not reachable now. */
export const STATUS_TIMEOUT_MS = 900;
/** Samples of the charts: five minutes, one a second; 20 numbers each, so 50 KB. */
export const SAMPLES_MAX = 300;
/** Events that a viewer can catch up on, about 300 bytes each. */
export const EVENTS_MAX = 1000;

/** Viewers of the live feed at once. */
export const VIEWERS_MAX = 64;
/** What may wait for a slow viewer before it is dropped: 10 s of metrics of a cluster of 50 nodes. */
export const VIEWER_BYTES_MAX: number = 1024 * 1024;
/** A viewer that does not answer a ping for this long is gone. */
export const VIEWER_SILENCE_MS = 30_000;

/** How long `kill` waits for the cluster to notice. The failure detector takes one to three seconds. */
export const NOTICE_MS = 6000;
/** How often it looks meanwhile. */
export const NOTICE_POLL_MS = 100;
/** Values in answers about keys and conflicts are cut to this. */
export const SHOWN_VALUE_BYTES_MAX: number = 64 * 1024;
