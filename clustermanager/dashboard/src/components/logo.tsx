/** The ring. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="16" r="11" fill="none" stroke="var(--accent)" stroke-width="6" stroke-dasharray="20.04 3" />
    </svg>
  );
}
