import type { z } from '@hono/zod-openapi';
import { problemSchema } from './problem.js';

/** The responses of a route: what it gives, and the problems that every one may give. */
export function responses<Schema extends z.ZodType>(schema: Schema, description: string) {
  return {
    200: { description, content: { 'application/json': { schema } } },
    default: {
      description: 'a problem; `code` says which',
      content: { 'application/problem+json': { schema: problemSchema } },
    },
  };
}

/** Routes that need a bearer token say so. */
export const bearer = [{ bearer: [] }];
