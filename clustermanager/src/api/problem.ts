import { MemDbError } from '@memdb/client';
import type { Context } from 'hono';
import { z } from 'zod';

/** Errors as RFC 9457 says, with the codes of the protocol and a few of the manager's own. */
export const problemSchema: z.ZodType<Problem> = z
  .object({
    type: z.string().describe('urn:memdb:error:CODE'),
    title: z.string().describe('the code'),
    status: z.number().int(),
    detail: z.string().describe('a sentence that says what to do'),
    code: z.string().describe('stable; those of PROTOCOL.md, or one of the manager'),
    outcome: z.enum(['not-applied', 'unknown']).describe('what became of the request'),
    retryable: z.boolean(),
    node: z.union([z.number(), z.string()]).optional(),
  })
  .meta({ id: 'Problem' });

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly outcome: 'not-applied' | 'unknown';
  readonly retryable: boolean;
  readonly node?: number | string | undefined;
}

/** A failure of a request to the manager itself. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

const statuses: Readonly<Record<string, number>> = {
  'bad-request': 400,
  'key-empty': 400,
  'key-too-large': 413,
  'value-too-large': 413,
  'authentication-failed': 502,
  'not-permitted': 403,
  'not-supported': 501,
  overloaded: 503,
  unavailable: 503,
  timeout: 504,
  'connection-lost': 502,
  'not-founded': 503,
  'shutting-down': 503,
  'storage-full': 507,
  'memory-full': 507,
  'serial-key': 409,
};

/** What a failure is answered with. */
export function problemOf(error: unknown): { readonly problem: Problem; readonly headers: Record<string, string> } {
  if (error instanceof ApiError) {
    const { status, code, message, headers } = error;
    return { problem: make(status, code, message, 'not-applied', status === 429 || status === 503), headers };
  }
  if (error instanceof MemDbError) {
    const { code, message, outcome, retryable, node } = error;
    const problem = make(statuses[code] ?? 500, code, message, outcome, retryable);
    return { problem: node === undefined ? problem : { ...problem, node }, headers: {} };
  }
  return { problem: make(500, 'internal', 'The manager failed; its log says why.', 'unknown', false), headers: {} };
}

export function answerProblem(context: Context, error: unknown): Response {
  const { problem, headers } = problemOf(error);
  return context.body(JSON.stringify(problem), problem.status as 400, {
    'Content-Type': 'application/problem+json',
    ...headers,
  });
}

function make(status: number, code: string, detail: string, outcome: Problem['outcome'], retryable: boolean): Problem {
  return { type: `urn:memdb:error:${code}`, title: code, status, detail, code, outcome, retryable };
}
