import type { SequentialModel } from './linearizability.js';

/** What is asked of one key. A value of undefined stands for absence. */
export type RegisterInput =
  | { readonly kind: 'get' }
  | { readonly kind: 'set'; readonly value: string | undefined }
  | { readonly kind: 'cas'; readonly expected: string | undefined; readonly next: string | undefined };

export type RegisterOutput =
  | { readonly kind: 'done' }
  | { readonly kind: 'value'; readonly value: string | undefined }
  | { readonly kind: 'compared'; readonly applied: boolean; readonly actual: string | undefined };

interface RegisterState {
  readonly value: string | undefined;
}

/** One key: reads, writes, deletions, and comparisons that set. */
export const registerModel: SequentialModel<RegisterState, RegisterInput, RegisterOutput> = {
  initial: { value: undefined },
  nameOf: ({ value }) => (value === undefined ? 'absent' : `=${value}`),
  apply(state, input, output) {
    switch (input.kind) {
      case 'get':
        return output?.kind !== 'value' || output.value === state.value ? state : undefined;
      case 'set':
        return { value: input.value };
      case 'cas': {
        const applies = state.value === input.expected;
        if (output?.kind === 'compared' && (output.applied !== applies || output.actual !== state.value)) {
          return undefined;
        }
        return applies ? { value: input.next } : state;
      }
    }
  },
};
