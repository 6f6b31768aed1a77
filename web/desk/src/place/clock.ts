import { readonly, shallowRef } from 'vue';

let ahead = 0;
const now = shallowRef(Date.now());

/** The server's time to the second, for everything on the page that counts. */
export const clock = readonly(now);

/** Sets the clock by the server's, from which this computer's may differ. */
export function setClock(serverNow: number): void {
    ahead = serverNow - Date.now();
    now.value = serverNow;
}

/** A moment of this computer's clock as one of the server's. */
export function toServerTime(at: number): number {
    return at + ahead;
}

setInterval(() => (now.value = Date.now() + ahead), 1000);
