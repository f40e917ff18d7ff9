import { type Address, formatAddress, parseAddress } from './address.js';
import { formatBytes, formatDurationMs, parseBytes, parseDurationMs } from './units.js';

/** How a setting's value is read from TOML (its own types) or from text (environment, flags), and written back. */
export interface SettingKind<T> {
  /** What is allowed, to end the sentence "… must be". */
  readonly allowed: string;
  /** The value, or undefined when `raw` is not allowed. */
  parse(raw: unknown): T | undefined;
  /** The value as a TOML literal that `parse` reads back. */
  format(value: T): string;
}

export function text(allowed: string, pattern: RegExp): SettingKind<string> {
  return {
    allowed,
    parse: (raw) => (typeof raw === 'string' && pattern.test(raw) ? raw : undefined),
    format: (value) => JSON.stringify(value),
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): SettingKind<T> {
  return {
    allowed: `one of ${choices.map((choice) => `"${choice}"`).join(', ')}`,
    parse: (raw) => choices.find((choice) => choice === raw),
    format: (value) => JSON.stringify(value),
  };
}

export function integer(minimum: number, maximum: number): SettingKind<number> {
  return {
    allowed: `a whole number from ${minimum} to ${maximum}`,
    parse: (raw) => within(asNumber(raw), minimum, maximum, Number.isSafeInteger),
    format: String,
  };
}

export function powerOfTwo(minimum: number, maximum: number): SettingKind<number> {
  return {
    allowed: `a power of two from ${minimum} to ${maximum}`,
    parse: (raw) => within(asNumber(raw), minimum, maximum, isPowerOfTwo),
    format: String,
  };
}

export function decimal(minimum: number, maximum: number): SettingKind<number> {
  return {
    allowed: `a number from ${minimum} to ${maximum}`,
    parse: (raw) => within(asNumber(raw), minimum, maximum, Number.isFinite),
    format: (value) => (Number.isInteger(value) ? `${value}.0` : String(value)),
  };
}

/** A size in bytes. `zeroMeans` names the meaning of 0 when it is allowed below `minimum`. */
export function bytes(minimum: number, maximum: number, zeroMeans?: string): SettingKind<number> {
  const range = `a size from "${formatBytes(minimum)}" to "${formatBytes(maximum)}"`;
  return {
    allowed: zeroMeans === undefined ? range : `${range}, or 0 (${zeroMeans})`,
    parse: (raw) => {
      const value = typeof raw === 'string' ? parseBytes(raw) : asNumber(raw);
      if (value === 0 && zeroMeans !== undefined) return 0;
      return within(value, minimum, maximum, Number.isSafeInteger);
    },
    format: (value) => (value === 0 ? '0' : JSON.stringify(formatBytes(value))),
  };
}

/** A size in bytes that is a power of two. */
export function powerOfTwoBytes(minimum: number, maximum: number): SettingKind<number> {
  const size = bytes(minimum, maximum);
  return {
    allowed: `a power of two from "${formatBytes(minimum)}" to "${formatBytes(maximum)}"`,
    parse: (raw) => {
      const value = size.parse(raw);
      return value !== undefined && isPowerOfTwo(value) ? value : undefined;
    },
    format: size.format,
  };
}

/** A time in milliseconds; a bare number is refused because its unit would be a guess. */
export function durationMs(minimum: number, maximum: number): SettingKind<number> {
  const example = `a time with its unit from "${formatDurationMs(minimum)}" to "${formatDurationMs(maximum)}"`;
  return {
    allowed: `${example}, such as "100ms" or "2s"`,
    parse: (raw) =>
      within(typeof raw === 'string' ? parseDurationMs(raw) : undefined, minimum, maximum, Number.isSafeInteger),
    format: (value) => JSON.stringify(formatDurationMs(value)),
  };
}

export const address: SettingKind<Address> = {
  allowed: '"host:port" with a port from 1 to 65535 (an IPv6 host in brackets)',
  parse: (raw) => (typeof raw === 'string' ? parseAddress(raw) : undefined),
  format: (value) => JSON.stringify(formatAddress(value)),
};

/** An address whose absence has a meaning, written as `word`. */
export function addressOr(word: string): SettingKind<Address | null> {
  return {
    allowed: `${address.allowed}, or "${word}"`,
    parse: (raw) => (raw === word ? null : address.parse(raw)),
    format: (value) => (value === null ? JSON.stringify(word) : address.format(value)),
  };
}

export function addressList(lengthMax: number): SettingKind<readonly Address[]> {
  return {
    allowed: `at most ${lengthMax} different addresses: ["host:port", ...] in the file, host:port,host:port elsewhere`,
    parse: (raw) => {
      const items = typeof raw === 'string' ? raw.split(',').filter((item) => item.trim() !== '') : raw;
      if (!Array.isArray(items) || items.length > lengthMax) return undefined;
      const addresses = items.map((item) => address.parse(item)).filter((item) => item !== undefined);
      const distinct = new Set(addresses.map(formatAddress));
      return distinct.size === items.length ? addresses : undefined;
    },
    format: (value) => `[${value.map(address.format).join(', ')}]`,
  };
}

/** Origins of web pages, such as "https://admin.example.org". */
export function origins(lengthMax: number): SettingKind<readonly string[]> {
  return {
    allowed: `at most ${lengthMax} origins such as "https://admin.example.org": a list in the file, comma-separated elsewhere`,
    parse: (raw) => {
      const items: unknown = typeof raw === 'string' ? raw.split(',').map((item) => item.trim()) : raw;
      if (!Array.isArray(items)) return undefined;
      const given = items.filter((item) => item !== '');
      const sound = given.every((item) => typeof item === 'string' && /^https?:\/\/[^\s/?#]+$/.test(item));
      return sound && given.length <= lengthMax ? (given as string[]) : undefined;
    },
    format: (value) => `[${value.map((origin) => JSON.stringify(origin)).join(', ')}]`,
  };
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

function asNumber(raw: unknown): number | undefined {
  if (typeof raw === 'number') return raw;
  if (typeof raw === 'bigint') return Number(raw);
  return typeof raw === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(raw) ? Number(raw) : undefined;
}

function within(
  value: number | undefined,
  minimum: number,
  maximum: number,
  accepts: (value: number) => boolean,
): number | undefined {
  return value !== undefined && value >= minimum && value <= maximum && accepts(value) ? value : undefined;
}
