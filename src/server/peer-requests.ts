import {
  decodeScanRequest,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameCounter,
  frameEpoch,
  frameFlags,
  frameOpcode,
  Opcode,
  PRESSURE_BYTES,
  ProtocolError,
  pressureKeys,
  pressureNode,
} from '@memdb/protocol';
import type { Answer } from '../membership/answer.js';
import type { Membership } from '../membership/membership.js';
import type { LamportClock } from '../model/lamport-clock.js';
import { isAuditOpcode } from '../replication/audit/audit.js';
import type { AuditReplica } from '../replication/audit/audit-replica.js';
import type { CounterReplica } from '../replication/counters/counter-replica.js';
import type { HeldReplies } from '../replication/held-replies.js';
import { InboundStream } from '../replication/inbound-stream.js';
import type { Replica } from '../replication/replica.js';
import { PARTITION_LOST, type Replies } from '../replication/replies.js';
import type { ScanPages } from '../replication/scan-pages.js';
import type { SerialAcceptor } from '../replication/serial/serial-acceptor.js';
import type { Store } from '../storage/store.js';
import type { Epochs } from '../topology/epochs.js';
import type { Founding } from '../topology/founding.js';
import type { Transfers } from '../topology/transfers/transfers.js';
import type { ClientRequests } from './client-requests.js';
import type { Session } from './session.js';

export interface PeerRequestsOptions {
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly replies: Replies;
  readonly held: HeldReplies;
  readonly clientRequests: ClientRequests;
  readonly founding: Founding;
  /** Undefined until the cluster is founded. */
  readonly epochs: () => Epochs | undefined;
  readonly transfers: () => Transfers | undefined;
  /** 0 until the cluster is founded and this node admitted to it: nothing about data is answered before. */
  readonly epoch: () => number;
  /** Number of the member with that UUID; 0 for a stranger. */
  readonly numberOf: (uuid: string) => number;
  readonly membership: () => Membership | undefined;
  /** Undefined until then. */
  readonly replica: () => Replica | undefined;
  readonly counters: () => CounterReplica | undefined;
  readonly acceptor: () => SerialAcceptor | undefined;
  readonly audit: AuditReplica;
  readonly scanPages: () => ScanPages | undefined;
  /** A member holds so many keys beyond its bounds. */
  readonly onPressure: (member: number, keys: number) => void;
}

/** What nodes ask of each other. Everything about data is fenced by the exact epoch (mechanisms: Epochs). */
export class PeerRequests {
  readonly #options: PeerRequestsOptions;

  constructor(options: PeerRequestsOptions) {
    this.#options = options;
  }

  /** One request frame of a peer node. Throws `ProtocolError` when it is malformed. Hot. */
  onRequest(session: Session, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const { lamport, replies, store, founding } = this.#options;
    lamport.observe(frameCounter(view, start));
    if (frameEpoch(view, start) !== this.#options.epoch()) this.#onOtherEpoch(session, frameEpoch(view, start));
    const opcode = frameOpcode(view, start);
    const correlation = frameCorrelation(view, start);
    const body = start + FRAME_HEADER_BYTES;
    switch (opcode) {
      case Opcode.streamRun:
        session.stream ??= new InboundStream(store, replies, session);
        session.stream.onRun(this.#options.epoch(), bytes, view, start, end);
        return;
      case Opcode.readVersion:
      case Opcode.repair: {
        const replica = this.#options.replica();
        if (!this.#admits(session, opcode, correlation, view, start) || replica === undefined) return;
        if (opcode === Opcode.readVersion) replica.readVersion(session, bytes, view, start, end);
        else replica.repair(session, bytes, view, start, end);
        return;
      }
      case Opcode.counterEntries:
      case Opcode.counterMerge: {
        const counters = this.#options.counters();
        if (!this.#admits(session, opcode, correlation, view, start) || counters === undefined) return;
        if (opcode === Opcode.counterEntries) counters.onEntries(session, correlation, bytes, view, body, end);
        else counters.onMerge(session, correlation, bytes, view, body, end);
        return;
      }
      case Opcode.serialRead:
      case Opcode.serialPrepare:
      case Opcode.serialAccept: {
        const acceptor = this.#options.acceptor();
        if (!this.#admits(session, opcode, correlation, view, start) || acceptor === undefined) return;
        acceptor.onRequest(session, bytes, view, start, end);
        return;
      }
      case Opcode.scan:
        if ((frameFlags(view, start) & Flag.forwarded) !== 0) this.#scan(session, bytes, view, start, end);
        else this.#options.clientRequests.onRequest(session, bytes, view, start, end);
        return;
      case Opcode.gossipPing:
      case Opcode.gossipRelay:
      case Opcode.gossipExchange:
      case Opcode.introduce:
        this.#onGossip(session, opcode, correlation, bytes, view, body, end);
        return;
      case Opcode.memoryPressure:
        if (end - body !== PRESSURE_BYTES) throw new ProtocolError('bad-request', body, 'memoryPressure is cut');
        this.#options.onPressure(pressureNode(view, body), pressureKeys(view, body));
        return;
      case Opcode.pledge:
        session.inflight++;
        founding.onPledgeRequest(this.#answer(session), correlation, bytes.slice(body, end));
        return;
      case Opcode.announceEpoch:
      case Opcode.epochPrepare:
      case Opcode.epochAccept: {
        session.inflight++;
        const epochs = this.#options.epochs();
        if (epochs !== undefined && (opcode === Opcode.announceEpoch || this.#options.epoch() !== 0)) {
          epochs.onRequest(this.#answer(session), opcode, correlation, bytes, view, body, end);
        } else if (opcode === Opcode.announceEpoch) {
          founding.onAnnounced(this.#answer(session), correlation, bytes.slice(body, end));
        } else this.#refuseEpoch(session, opcode, correlation, frameEpoch(view, start));
        return;
      }
      case Opcode.transferProgress:
      case Opcode.transferList:
      case Opcode.transferPage:
      case Opcode.holdings:
        this.#onTransfer(session, opcode, correlation, bytes, view, start, end);
        return;
      default:
        if (isAuditOpcode(opcode)) {
          this.#onAudit(session, opcode, correlation, view, start, end);
          return;
        }
        this.#options.clientRequests.onRequest(session, bytes, view, start, end);
    }
  }

  #onGossip(
    session: Session,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    session.inflight++;
    const { state } = session;
    const membership = this.#options.membership();
    const answer = this.#answer(session);
    if (membership === undefined || state.kind !== 'open') {
      answer.refuse(opcode, correlation, 'not-founded', 'this node is in no cluster yet');
      return;
    }
    const from = { uuid: state.peer.identity, generation: state.peer.generation, bootNonce: state.peer.bootNonce };
    membership.onRequest(from, answer, opcode, correlation, bytes, view, start, end);
  }

  /** The peer is in another epoch: whoever is behind learns of the newer one. */
  #onOtherEpoch(session: Session, epoch: number): void {
    const { epochs, numberOf } = this.#options;
    if (session.state.kind === 'open') epochs()?.onShown(numberOf(session.state.peer.identity), epoch);
  }

  #onAudit(session: Session, opcode: number, correlation: number, view: DataView, start: number, end: number): void {
    session.inflight++;
    const { audit, replica, epoch } = this.#options;
    const asked = frameEpoch(view, start);
    if (replica() === undefined || asked !== epoch()) this.#refuseEpoch(session, opcode, correlation, asked);
    else audit.onRequest(session, opcode, correlation, view, start + FRAME_HEADER_BYTES, end);
  }

  #onTransfer(
    session: Session,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    const { epoch, numberOf } = this.#options;
    const transfers = this.#options.transfers();
    const asked = frameEpoch(view, start);
    const counts = transfers !== undefined && asked === epoch();
    if (opcode === Opcode.holdings) {
      const member = session.state.kind === 'open' ? numberOf(session.state.peer.identity) : 0;
      if (counts) transfers.onHoldings(member, bytes, view, start + FRAME_HEADER_BYTES, end);
      return;
    }
    session.inflight++;
    if (counts) {
      transfers.onRequest(this.#answer(session), opcode, correlation, bytes, view, start + FRAME_HEADER_BYTES, end);
    } else this.#refuseEpoch(session, opcode, correlation, asked);
  }

  #refuseEpoch(session: Session, opcode: number, correlation: number, asked: number): void {
    this.#options.replies.error(session, opcode, correlation, {
      code: 'wrong-epoch',
      outcome: 'not-applied',
      message: `this node is in epoch ${this.#options.epoch()}, the request was made in ${asked}`,
    });
  }

  /** Counts the request, and refuses it when it was made in another epoch or the disk is far behind. */
  #admits(session: Session, opcode: number, correlation: number, view: DataView, start: number): boolean {
    const { replies, held } = this.#options;
    session.inflight++;
    const epoch = this.#options.epoch();
    if (epoch === 0 || frameEpoch(view, start) !== epoch) {
      this.#refuseEpoch(session, opcode, correlation, frameEpoch(view, start));
      return false;
    }
    if (!held.full) return true;
    replies.error(session, opcode, correlation, {
      code: 'overloaded',
      outcome: 'not-applied',
      message: 'too many answers wait for the disk of this node',
    });
    return false;
  }

  /** The page of this replica alone, for the node that drives a scan. */
  #scan(session: Session, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const correlation = frameCorrelation(view, start);
    const { replies, held, store, scanPages } = this.#options;
    const pages = scanPages();
    if (!this.#admits(session, Opcode.scan, correlation, view, start) || pages === undefined) return;
    if (pages.full) {
      replies.error(session, Opcode.scan, correlation, {
        code: 'overloaded',
        outcome: 'not-applied',
        message: 'too many scans ask this replica at once',
      });
      return;
    }
    const { place, prefix } = decodeScanRequest(bytes, view, start + FRAME_HEADER_BYTES, end);
    if (place.partition >= store.placement.partitions) {
      throw new ProtocolError('bad-request', start, `scan of partition ${place.partition}`);
    }
    const onPage = (body: Uint8Array, lsn: number): void => {
      if (session.closed || lsn <= store.durableLsn) replies.body(session, Opcode.scan, 0, correlation, body);
      else {
        const at = held.begin(
          store.lastLsn,
          Number.POSITIVE_INFINITY,
          session,
          Opcode.scan,
          0,
          correlation,
          body.length,
        );
        held.out.bytes.set(body, at);
      }
    };
    pages.make(place, prefix, onPage, () => replies.error(session, Opcode.scan, correlation, PARTITION_LOST));
  }

  #answer(session: Session): Answer {
    const { replies } = this.#options;
    return {
      body: (opcode, correlation, bytes) => replies.body(session, opcode, 0, correlation, bytes),
      refuse: (opcode, correlation, code, message) =>
        replies.error(session, opcode, correlation, { code, outcome: 'not-applied', message }),
    };
  }
}
