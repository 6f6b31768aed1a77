import { computed, onBeforeUnmount, watch } from 'vue';
import { lastSaid, unread } from '../state/reading';
import { mutedLines, mutedOffers } from './look';
import type { DeskView } from './provide';
import { openOffers } from './shortcuts';
import { play } from './sound';

const RING = 5_000;
const FLASH = 1_000;
const LEADER = 'halley.desk.alerts';

/** Calls the agent: sound, title and, where allowed, the system's own notifications, from one window of the browser. */
export function useAlerts(view: DeskView): void {
    const offers = computed(() => openOffers(view));
    const counts = computed(() => {
        const before = document.hasFocus() ? view.state.value.selected : null;
        const others = view.chats.value.filter((chat) => chat.info.id !== before);
        return new Map(others.map((chat) => [chat.info.id, unread(chat, view.desk.account.id)]));
    });
    const lines = computed(() => [...counts.value.values()].reduce((sum, count) => sum + count, 0));
    const shown = new Map<string, Notification>();
    const leader = lead(`${LEADER}.${view.desk.account.id}`);
    const home = 'Halley desk';
    let bright = false;

    const title = (): void => {
        const first = offers.value[0];
        bright = !bright && !!first;
        const count = lines.value > 0 ? `(${lines.value}) ` : '';
        document.title = bright ? `● ${first!.name} is waiting` : count + home;
    };
    const ring = (): void => {
        if (leader.is() && !mutedOffers.value) play('offer');
    };
    const notify = (chat: string, text: string, body: string, open: boolean): void => {
        if (!leader.is() || !mayNotify()) return;
        shown.get(chat)?.close();
        // One notification for a chat, and it rings anew; browsers know "renotify", TypeScript does not yet.
        const options = { body, tag: `halley-${chat}`, renotify: true } as NotificationOptions;
        const notification = new Notification(text, options);
        notification.addEventListener('click', () => {
            window.focus();
            if (open) view.select(chat);
        });
        shown.set(chat, notification);
    };
    const withdraw = (chat: string): void => {
        shown.get(chat)?.close();
        shown.delete(chat);
    };
    const flashing = setInterval(title, FLASH);
    const ringing = setInterval(() => {
        if (offers.value.length > 0) ring();
    }, RING);

    watch(offers, (now, before) => {
        title();
        for (const { chat } of before) if (!now.some((offer) => offer.chat === chat)) withdraw(chat);
        const fresh = now.filter((offer) => !before.some((old) => old.chat === offer.chat));
        if (fresh.length > 0) ring();
        for (const offer of fresh) notify(offer.chat, `${offer.name} is waiting`, offer.queue, false);
    });
    watch(counts, (now, before) => {
        title();
        for (const chat of before.keys()) if ((now.get(chat) ?? 0) === 0) withdraw(chat);
        const grown = view.chats.value.filter(
            ({ info }) => (now.get(info.id) ?? 0) > (before.get(info.id) ?? 0) && before.has(info.id),
        );
        if (grown.length > 0 && leader.is() && !mutedLines.value) play('line');
        for (const chat of grown) {
            const said = lastSaid(chat);
            notify(chat.info.id, chat.info.name, said?.type === 'said' ? said.text : (said?.name ?? ''), true);
        }
    });
    onBeforeUnmount(() => {
        clearInterval(flashing);
        clearInterval(ringing);
        leader.resign();
        for (const notification of shown.values()) notification.close();
        shown.clear();
        document.title = home;
    });
}

/**
 * Of the windows of one browser that are open for an agent one holds a lock, and that one alone rings and notifies;
 * when it closes another one gets the lock. A browser without locks takes every window for the one.
 */
function lead(name: string): { is(): boolean; resign(): void } {
    if (!navigator.locks) return { is: () => true, resign: () => undefined };
    let leads = false;
    let release = (): void => undefined;
    const given = new AbortController();
    const hold = (): Promise<void> => {
        leads = true;
        return new Promise((done) => (release = done));
    };
    // The request is rejected only when it is aborted, which is what resigning does.
    navigator.locks.request(name, { signal: given.signal }, hold).catch(() => undefined);
    return {
        is: () => leads,
        resign() {
            leads = false;
            release();
            given.abort();
        },
    };
}

function mayNotify(): boolean {
    return typeof Notification !== 'undefined' && Notification.permission === 'granted' && !document.hasFocus();
}

/** Asks for leave to notify; browsers want this to follow a click. */
export function askToNotify(): void {
    if (typeof Notification !== 'undefined' && Notification.permission === 'default')
        void Notification.requestPermission();
}
