import type { Account } from '../wire/shapes';

/** What asking for the session gave: somebody, nobody, or no answer to go by. */
export type SignInResult =
    | { readonly kind: 'in'; readonly account: Account }
    | { readonly kind: 'out'; readonly why: string }
    | { readonly kind: 'unreachable' };

const ADDRESS = '/api/v1/session';

/** Finds out who is signed in, as after a reload. */
export function restore(): Promise<SignInResult> {
    return ask({ method: 'GET' });
}

/** Signs in. */
export function signIn(login: string, password: string): Promise<SignInResult> {
    return ask({
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ login, password }),
    });
}

/** Signs out. False if the server could not be told, in which case the session still stands. */
export async function signOut(): Promise<boolean> {
    try {
        const answer = await fetch(ADDRESS, { method: 'DELETE', credentials: 'same-origin' });
        return answer.ok || answer.status === 401;
    } catch {
        return false;
    }
}

async function ask(request: RequestInit): Promise<SignInResult> {
    try {
        const answer = await fetch(ADDRESS, { ...request, credentials: 'same-origin', cache: 'no-store' });
        if (answer.ok) return { kind: 'in', account: ((await answer.json()) as { agent: Account }).agent };
        const asked = request.method === 'POST';
        if (answer.status >= 500 || (!asked && answer.status !== 401)) return { kind: 'unreachable' };
        return { kind: 'out', why: asked ? await reason(answer) : '' };
    } catch {
        return { kind: 'unreachable' };
    }
}

async function reason(answer: Response): Promise<string> {
    if (answer.status === 401) return 'This login and password do not match.';
    if (answer.status === 429) return 'Too many attempts. Wait a minute and try again.';
    try {
        const body = (await answer.json()) as { error?: { message?: string } };
        return body.error?.message ?? 'The server refused the sign-in.';
    } catch {
        return 'The server refused the sign-in.';
    }
}
