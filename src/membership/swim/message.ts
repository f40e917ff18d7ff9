import type { Member } from './member.js';

/**
 * What members say to each other. Each message begins with what its sender is, and carries a few rumors; `sequence`
 * matches answers to questions.
 */
export type SwimMessage =
  /** Are you there? Answered by `ack`. */
  | { readonly kind: 'ping'; readonly sequence: number; readonly members: readonly Member[] }
  | { readonly kind: 'ack'; readonly sequence: number; readonly members: readonly Member[] }
  /** Is this other one there? Answered by `relayed`, also when it is not: silence says something about the asker. */
  | {
      readonly kind: 'relay';
      readonly sequence: number;
      readonly target: string;
      readonly members: readonly Member[];
    }
  | {
      readonly kind: 'relayed';
      readonly sequence: number;
      readonly reached: boolean;
      readonly members: readonly Member[];
    }
  /** All that the sender knows. Answered by `exchanged`, the same from the other side. */
  | { readonly kind: 'exchange'; readonly members: readonly Member[] }
  | { readonly kind: 'exchanged'; readonly members: readonly Member[] };

/** What the state machine wants done. */
export type SwimAction =
  | { readonly kind: 'send'; readonly to: string; readonly message: SwimMessage }
  /** Something about another member changed; `before` is undefined when it was not known. */
  | { readonly kind: 'changed'; readonly member: Member; readonly before: Member | undefined }
  /** A later start of this very node is known: this process is not, or no longer, the one that counts. */
  | { readonly kind: 'superseded'; readonly by: Member };
