const TOKEN = 'memdb-token';

/** A refusal, with the sentence for the person. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The token of this tab: it goes when the tab is closed. */
export function storedToken(): string | undefined {
  return sessionStorage.getItem(TOKEN) ?? undefined;
}

export function storeToken(token: string | undefined): void {
  if (token === undefined) sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, token);
}

/** Calls the REST API. Throws ApiFailure; status 0 when the manager cannot be reached. */
export async function call<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const token = storedToken();
  const headers: Record<string, string> = {};
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  // Should anything on the way send it twice, it is done once.
  if (method !== 'GET') headers['Idempotency-Key'] = crypto.getRandomValues(new Uint32Array(4)).join('-');
  let response: Response;
  try {
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
    response = await fetch(`/api/v1${path}`, init);
  } catch {
    throw new ApiFailure(0, 'unreachable', 'The manager does not answer.');
  }
  const answer = await response.json();
  if (response.ok) return answer as Answer;
  throw new ApiFailure(response.status, String(answer.code), String(answer.detail));
}
