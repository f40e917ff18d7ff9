import { useState } from 'preact/hooks';
import { call } from '../api.js';
import { nodeColor } from '../colors.js';
import type { Explanation } from '../documents.js';
import { ConfirmDialog } from './confirm-dialog.js';

/** Where a key is, what each replica holds, and why one version wins; and changes to it. */
export function KeyExplorer() {
  const [key, setKey] = useState('');
  const [value, setValue] = useState('');
  const [found, setFound] = useState<Explanation>();
  const [problem, setProblem] = useState('');
  const [isDeleting, setIsDeleting] = useState(false);

  const path = `/keys/${encodeURIComponent(key)}`;
  const run = async (act: () => Promise<void>): Promise<void> => {
    try {
      await act();
      setProblem('');
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const look = async (): Promise<void> => {
    const explanation = await call<Explanation>('GET', path);
    setFound(explanation);
    setValue(explanation.value ?? '');
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void run(look);
  };
  const store = (): Promise<void> =>
    run(async () => {
      await call('PUT', path, { value });
      await look();
    });
  const remove = async (): Promise<void> => {
    await call('DELETE', path);
    await look();
  };
  const isKnown = found !== undefined && found.key === key;
  return (
    <section class="card" aria-labelledby="keys-title">
      <h2 id="keys-title">Key explorer</h2>
      <form class="key-form" onSubmit={submit}>
        <label class="hidden" for="key">
          Key
        </label>
        <input id="key" placeholder="Key" required value={key} onInput={(event) => setKey(event.currentTarget.value)} />
        <button type="submit" class="primary">
          Explain
        </button>
      </form>
      {problem === '' ? null : (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {!isKnown ? (
        problem === '' ? (
          <p class="muted">
            Shows which nodes own a key, the version that each of them holds, and why one of them wins.
          </p>
        ) : null
      ) : (
        <>
          <p class="why">{found.why}</p>
          <Replicas found={found} />
          <label for="value">
            {found.found ? `Value, ${found.bytes} bytes` : 'No value'}
            {found.cut === true ? ' (its beginning)' : ''}
          </label>
          {found.valueBase64 === undefined ? (
            <textarea id="value" rows={3} value={value} onInput={(event) => setValue(event.currentTarget.value)} />
          ) : (
            <textarea id="value" rows={3} readOnly value={`base64: ${found.valueBase64}`} />
          )}
          <div class="actions">
            <button type="button" class="danger-quiet" disabled={!found.found} onClick={() => setIsDeleting(true)}>
              Delete
            </button>
            <button type="button" disabled={found.valueBase64 !== undefined || found.cut === true} onClick={store}>
              Store
            </button>
          </div>
        </>
      )}
      {isDeleting ? (
        <ConfirmDialog title={`Delete ${key}?`} action="Delete" onConfirm={remove} onClose={() => setIsDeleting(false)}>
          <p>It is deleted on all of its replicas.</p>
        </ConfirmDialog>
      ) : null}
    </section>
  );
}

const HOLDS = { newest: 'newest', older: 'older', nothing: 'nothing', 'no-answer': 'no answer' } as const;
const TONES = { newest: 'good', older: 'warning', nothing: 'info', 'no-answer': 'critical' } as const;

function Replicas({ found }: { readonly found: Explanation }) {
  return (
    <table class="replicas">
      <caption>
        Partition {found.partition}, hash {found.hash.toString(16).padStart(8, '0')}, epoch {found.epoch}
      </caption>
      <thead>
        <tr>
          <th scope="col">Owner</th>
          <th scope="col">Holds</th>
          <th scope="col" class="number">
            Stamp
          </th>
        </tr>
      </thead>
      <tbody>
        {found.replicas.map(({ node, holds, stamp, found: hasValue }) => (
          <tr key={node}>
            <th scope="row">
              <span class="swatch" style={{ background: nodeColor(node) }} />
              node {node}
            </th>
            <td>
              <span class={`chip ${TONES[holds]}`}>{HOLDS[holds]}</span>
              {holds === 'newest' && hasValue === false ? <small>deleted</small> : null}
            </td>
            <td class="number">
              {stamp === undefined || stamp.counter === 0 ? '–' : `${stamp.counter} by node ${stamp.node}`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
