/**
 * Small values kept in the browser. Storage may be forbidden or full; then a value simply is not
 * kept, which costs the user a preference or a draft but never the work at hand.
 */
export interface Store {
    read(key: string): string | null;
    /** Stores a value; null forgets it. */
    write(key: string, value: string | null): void;
}

/** A store over one of the browser's storages. It is passed as a function because merely naming a forbidden one throws. */
export function storeIn(storage: () => Storage): Store {
    return {
        read(key) {
            try {
                return storage().getItem(key);
            } catch {
                return null;
            }
        },
        write(key, value) {
            try {
                if (value === null) storage().removeItem(key);
                else storage().setItem(key, value);
            } catch {
                return;
            }
        },
    };
}

/** What outlives the browser. */
export const localStore = storeIn(() => window.localStorage);

/** What outlives a reload and belongs to this tab alone. */
export const sessionStore = storeIn(() => window.sessionStorage);
