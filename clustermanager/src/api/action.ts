import type { Context } from 'hono';
import type { LogFields } from '../options.js';
import type { ApiContext, ApiEnvironment } from './context.js';
import { problemOf } from './problem.js';

/** Something that a request does, with all that every action has: an entry in the audit log, and exactness on repeat. */
export interface Action {
  /** As in "kill", for the audit log. */
  readonly name: string;
  /** Number of the node that it is done to. */
  readonly node?: number;
  readonly fields?: LogFields;
  /** Does it; what it returns is the body of the answer. */
  act(): Promise<unknown>;
}

/** Runs an action and answers the request; a failure is an answer too, so that a repeat gets the same one. */
export async function runAction(
  context: Context<ApiEnvironment>,
  { audit, idempotent }: ApiContext,
  { name, node, fields, act }: Action,
): Promise<Response> {
  const actor = context.get('actor');
  const run = async (): Promise<{ status: number; contentType: string; body: string }> => {
    try {
      const body = JSON.stringify(await act());
      audit.note(actor, name, 'done', fields, node);
      return { status: 200, contentType: 'application/json', body };
    } catch (error) {
      const { problem } = problemOf(error);
      audit.note(actor, name, problem.code, fields, node);
      return { status: problem.status, contentType: 'application/problem+json', body: JSON.stringify(problem) };
    }
  };
  const key = context.req.header('Idempotency-Key');
  const request = `${context.req.method} ${context.req.url}`;
  const answer = await (key === undefined ? run() : idempotent.answer(actor.name, key, request, run));
  return context.body(answer.body, answer.status as 200, { 'Content-Type': answer.contentType });
}
