import { useState } from 'preact/hooks';
import { storedToken, storeToken } from './api.js';
import { Dashboard } from './components/dashboard.js';
import { Login } from './components/login.js';
import { useTheme } from './theme.js';

/** The whole page: the login, or the dashboard. */
export function App() {
  const [theme, toggleTheme] = useTheme();
  const [token, setToken] = useState(storedToken());
  const change = (next: string | undefined): void => {
    storeToken(next);
    setToken(next);
  };
  if (token === undefined) return <Login onToken={change} />;
  return <Dashboard theme={theme} onTheme={toggleTheme} onLogout={() => change(undefined)} />;
}
