import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface StaticFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** The files of the dashboard, read once: no path of a request ever reaches the file system. */
export class StaticFiles {
  readonly #files: ReadonlyMap<string, StaticFile>;

  /** Reads the dashboard as it was built, beside this package's code. */
  static dashboard(): StaticFiles {
    return new StaticFiles(fileURLToPath(new URL('../dashboard', import.meta.url)));
  }

  constructor(directory: string) {
    const files = new Map<string, StaticFile>();
    for (const name of namesIn(directory)) {
      const bytes = new Uint8Array(readFileSync(join(directory, name)));
      const isNamedByContent = name.startsWith('assets/');
      files.set(`/${name}`, {
        bytes,
        headers: {
          'Content-Type': types[extname(name)] ?? 'application/octet-stream',
          'Cache-Control': isNamedByContent ? 'public, max-age=31536000, immutable' : 'no-cache',
          ETag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`,
        },
      });
    }
    const index = files.get('/index.html');
    if (index !== undefined) files.set('/', index);
    this.#files = files;
  }

  find(path: string): StaticFile | undefined {
    return this.#files.get(path);
  }
}

function namesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
    const below = directory.length + 1;
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(below));
  } catch {
    // Not built: the API works without.
    return [];
  }
}
