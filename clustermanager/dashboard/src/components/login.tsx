import { useState } from 'preact/hooks';
import { call } from '../api.js';
import { Logo } from './logo.js';

/** Asks for the admin key. */
export function Login({ onToken }: { readonly onToken: (token: string) => void }) {
  const [adminKey, setAdminKey] = useState('');
  const [problem, setProblem] = useState('');
  const [isBusy, setIsBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setIsBusy(true);
    try {
      onToken((await call<{ token: string }>('POST', '/login', { adminKey })).token);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setIsBusy(false);
    }
  };
  return (
    <main class="login">
      <form class="card login-card" onSubmit={submit}>
        <div class="brand">
          <Logo />
          <span>MemDB</span>
        </div>
        <h1>Log in</h1>
        <label for="admin-key">Admin key</label>
        <input
          id="admin-key"
          type="password"
          autocomplete="current-password"
          required
          value={adminKey}
          onInput={(event) => setAdminKey(event.currentTarget.value)}
          aria-describedby="login-hint"
        />
        <p class="hint" id="login-hint">
          <code>ID:SECRET</code> of a key of role admin; <code>npm start</code> prints it.
        </p>
        {problem === '' ? null : (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="primary" disabled={isBusy}>
          Log in
        </button>
      </form>
    </main>
  );
}
