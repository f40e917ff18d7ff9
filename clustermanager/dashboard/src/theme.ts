import { useEffect, useState } from 'preact/hooks';

export type Theme = 'light' | 'dark';
const STORED = 'memdb-theme';

function initial(): Theme {
  const stored = localStorage.getItem(STORED);
  if (stored === 'light' || stored === 'dark') return stored;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

/** The theme, and what changes it; as the system has it until the person chooses. */
export function useTheme(): readonly [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(initial);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const toggle = (): void => {
    const next = theme === 'dark' ? 'light' : 'dark';
    localStorage.setItem(STORED, next);
    // Charts read their colours when they are made: the page has them first.
    document.documentElement.dataset.theme = next;
    setTheme(next);
  };
  return [theme, toggle];
}
