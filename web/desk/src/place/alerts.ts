import { computed, onBeforeUnmount, watch } from 'vue';
import { unread } from '../state/reading';
import { openOffers } from './shortcuts';
import type { DeskView } from './provide';
import { play } from './sound';

const RING = 5_000;
const FLASH = 1_000;

/** Calls the agent: sound, title and, where he allowed it, the system's own notification. */
export function useAlerts(view: DeskView): void {
    const offers = computed(() => openOffers(view));
    const lines = computed(() => {
        const before = document.hasFocus() ? view.state.value.selected : null;
        const others = view.chats.value.filter((chat) => chat.info.id !== before);
        return others.reduce((sum, chat) => sum + unread(chat, view.desk.account.id), 0);
    });
    const home = 'Halley desk';
    let bright = false;

    const title = (): void => {
        const first = offers.value[0];
        bright = !bright && !!first;
        const count = lines.value > 0 ? `(${lines.value}) ` : '';
        document.title = bright ? `● ${first!.name} is waiting` : count + home;
    };
    const flashing = setInterval(title, FLASH);
    const ringing = setInterval(() => {
        if (offers.value.length > 0) play('offer');
    }, RING);

    watch(offers, (now, before) => {
        title();
        const fresh = now.find((offer) => !before.some((old) => old.chat === offer.chat));
        if (!fresh) return;
        play('offer');
        notify(`${fresh.name} is waiting`, fresh.queue);
    });
    watch(lines, (now, before) => {
        title();
        if (now > before) play('line');
    });
    onBeforeUnmount(() => {
        clearInterval(flashing);
        clearInterval(ringing);
        document.title = home;
    });
}

function notify(title: string, body: string): void {
    if (typeof Notification === 'undefined' || Notification.permission !== 'granted' || document.hasFocus()) return;
    const shown = new Notification(title, { body, tag: 'halley-offer' });
    shown.addEventListener('click', () => window.focus());
}

/** Asks for leave to notify; browsers want this to follow a click. */
export function askToNotify(): void {
    if (typeof Notification !== 'undefined' && Notification.permission === 'default')
        void Notification.requestPermission();
}
