import type { Cluster } from '../documents.js';
import type { Theme } from '../theme.js';
import { Logo } from './logo.js';

export interface TopBarProps {
  readonly cluster: Cluster | undefined;
  readonly isUp: boolean;
  readonly theme: Theme;
  readonly onTheme: () => void;
  readonly onLogout: () => void;
}

/** Which cluster this is, and what belongs to the page itself. */
export function TopBar({ cluster, isUp, theme, onTheme, onLogout }: TopBarProps) {
  return (
    <header class="top-bar">
      <div class="brand">
        <Logo />
        <span>MemDB</span>
      </div>
      <div class="cluster-name">
        <strong>{cluster?.name ?? '…'}</strong>
        <span class="muted">epoch {cluster?.epoch ?? '–'}</span>
      </div>
      <span class={`live ${isUp ? 'good' : 'critical'}`} role="status">
        {isUp ? 'live' : 'reconnecting'}
      </span>
      <button
        type="button"
        class="quiet"
        onClick={onTheme}
        aria-label={`Use the ${theme === 'dark' ? 'light' : 'dark'} theme`}
      >
        {theme === 'dark' ? '☀' : '☾'}
      </button>
      <button type="button" class="quiet" onClick={onLogout}>
        Log out
      </button>
    </header>
  );
}
