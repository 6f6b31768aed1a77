import { onBeforeUnmount, onMounted, watch } from 'vue';
import type { DeskView } from './provide';

/** Has the browser ask before it closes the page while chats are open: their customers would wait for nobody. */
export function warnBeforeClosing(view: DeskView): void {
    const ask = (event: BeforeUnloadEvent): void => {
        if (view.chats.value.length > 0) event.preventDefault();
    };
    onMounted(() => window.addEventListener('beforeunload', ask));
    onBeforeUnmount(() => window.removeEventListener('beforeunload', ask));
}

/** How long signing out waits for the chats to be handed back. */
const PATIENCE = 5_000;

/** Takes no more chats, leaves those that are open, so that they wait in their queues again, and then goes on. */
export function handBack(view: DeskView, then: () => void): void {
    view.desk.order({ op: 'not-ready' });
    for (const chat of view.chats.value) view.desk.order({ op: 'leave', chat: chat.info.id });
    const go = (): void => {
        clearTimeout(timer);
        stop();
        then();
    };
    const timer = setTimeout(go, PATIENCE);
    const stop = watch(
        () => view.chats.value.length,
        (left) => {
            if (left === 0) go();
        },
    );
}
