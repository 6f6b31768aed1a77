import { computed, nextTick, ref, watch, type Ref } from 'vue';
import type { ChatEvent } from '../../wire/shapes';

/** How many events are laid out at first, and how many more each time the reader wants earlier ones. */
export const PAGE = 200;

/** How many events may be laid out, while the reader follows the newest ones, before the earliest leave again. */
const MOST = 2 * PAGE;

/**
 * The part of a transcript that is laid out: its newest events, and earlier ones as far as the reader has gone back.
 * `from` is the index of its first event. `silent` is true while earlier rows come in, which are nothing new to tell.
 */
export function useWindow(
    events: () => readonly ChatEvent[],
    frame: Ref<HTMLElement | null>,
    following: () => boolean,
) {
    const from = ref(indexAt(events(), events().length - PAGE));
    const silent = ref(false);
    const earlier = computed(() => (events()[0]?.index ?? 0) < from.value);

    watch(events, (now) => {
        const shown = now.length - place(now, from.value);
        if (following() && shown > MOST) from.value = indexAt(now, now.length - PAGE);
    });

    /** Lays out earlier events; what the reader has before his eyes stays where it is. */
    async function back(): Promise<void> {
        const log = frame.value;
        if (!log || !earlier.value || silent.value) return;
        silent.value = true;
        const below = log.scrollHeight - log.scrollTop;
        from.value = indexAt(events(), place(events(), from.value) - PAGE);
        await nextTick();
        log.scrollTop = log.scrollHeight - below;
        // Two frames, so that no screen reader takes the rows for additions.
        requestAnimationFrame(() => requestAnimationFrame(() => (silent.value = false)));
    }

    return { from, earlier, silent, back };
}

/** The index of the event at a place of the list; 0, which is before all, for a place before its beginning. */
function indexAt(events: readonly ChatEvent[], at: number): number {
    return at <= 0 ? 0 : events[at]!.index;
}

function place(events: readonly ChatEvent[], index: number): number {
    const at = events.findIndex((event) => event.index >= index);
    return at === -1 ? events.length : at;
}
