import { nextTick, onBeforeUnmount, onMounted, ref, useTemplateRef, watch, type Ref } from 'vue';

/** How near to its end the log counts as being there, in pixels. */
const NEAR = 40;

/** How near to its beginning the reader may come before `nearTop` is called, in pixels. */
const TOP = 200;

/** What a log tells and is told. */
export interface Scrolled {
    /** How many lines there are, and how many of them are the agent's that are not sent yet. */
    lines(): number;
    own(): number;
    /** Called whenever the reader has the end before his eyes. */
    looked(): void;
    nearTop(): void;
}

/**
 * Keeps a log at its end while the reader is there, and leaves it alone while he reads further up;
 * then `below` says that something new stands further down. `frame` is the scrolling element, and the
 * component marks what it holds as `content`.
 */
export function useScroll(frame: Readonly<Ref<HTMLElement | null>>, { lines, own, looked, nearTop }: Scrolled) {
    const content = useTemplateRef<HTMLElement>('content');
    const below = ref(false);
    let atEnd = true;
    let watcher: ResizeObserver | undefined;

    const seen = (): void => {
        if (atEnd && document.hasFocus() && !document.hidden) looked();
    };
    const toEnd = (): void => {
        atEnd = true;
        below.value = false;
        if (frame.value) frame.value.scrollTop = frame.value.scrollHeight;
        seen();
    };
    const scrolled = (): void => {
        const log = frame.value;
        if (!log) return;
        atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
        if (log.scrollTop < TOP && log.scrollHeight > log.clientHeight) nearTop();
        if (!atEnd) return;
        below.value = false;
        seen();
    };
    const settle = (): void => {
        if (atEnd) toEnd();
    };

    watch(lines, () => {
        if (!atEnd) below.value = true;
        void nextTick(settle);
    });
    watch(own, (now, before) => {
        if (now > before) void nextTick(toEnd);
    });
    onMounted(() => {
        toEnd();
        frame.value?.addEventListener('scroll', scrolled, { passive: true });
        watcher = new ResizeObserver(settle);
        if (content.value) watcher.observe(content.value);
        if (frame.value) watcher.observe(frame.value);
        window.addEventListener('focus', seen);
    });
    onBeforeUnmount(() => {
        watcher?.disconnect();
        window.removeEventListener('focus', seen);
    });
    return { below, toEnd, atEnd: () => atEnd };
}
