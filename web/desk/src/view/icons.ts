/** The desk's signs, each drawn as one stroke path in a square of 24. */
export const icons = {
    chats: 'M4 5h16v11H9l-5 4z',
    sound: 'M4 10v4h4l5 4V6L8 10zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11',
    muted: 'M4 10v4h4l5 4V6L8 10zM17 10l4 4M21 10l-4 4',
    settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
    keys: 'M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8',
    out: 'M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9',
    list: 'M4 6h16M4 12h16M4 18h16',
    panel: 'M4 5h16v14H4zM15 5v14',
    close: 'M6 6l12 12M18 6L6 18',
    send: 'M5 12h13M12 6l6 6-6 6',
    down: 'M6 9l6 6 6-6',
    check: 'M5 12l5 5 9-10',
    copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
    clip: 'M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7',
    lock: 'M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3',
    clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 2',
    pause: 'M9 5v14M15 5v14',
    play: 'M7 5l12 7-12 7z',
} as const;

export type IconName = keyof typeof icons;
