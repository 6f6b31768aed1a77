/** Writes a span of time as a running timer shows it: 0:07, 12:40, 1:02:09. Negative spans count as nothing. */
export function timer(span: number): string {
    const seconds = Math.max(0, Math.floor(span / 1000));
    const s = String(seconds % 60).padStart(2, '0');
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes}:${s}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${s}`;
}

/** Writes a span of time in words short enough for a sentence: 41 s, 3 min, 2 h 5 min. */
export function spoken(span: number): string {
    const seconds = Math.max(0, Math.round(span / 1000));
    if (seconds < 100) return `${seconds} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    const rest = minutes % 60;
    return rest === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${rest} min`;
}

/** The time of day, hours and minutes, in the reader's own habit. */
export function timeOfDay(at: number): string {
    return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** The day in words; today and yesterday by these names. */
export function dayName(at: number, now: number): string {
    const days = Math.round((midnight(now) - midnight(at)) / 86_400_000);
    if (days === 0) return 'Today';
    if (days === 1) return 'Yesterday';
    return new Date(at).toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
}

/** The first moment of a moment's day in local time; equal for two moments of one day. */
export function midnight(at: number): number {
    const day = new Date(at);
    day.setHours(0, 0, 0, 0);
    return day.getTime();
}

/**
 * The whole seconds that are left, by a clock that goes by the second and may be almost one behind: never more than
 * there were at first.
 */
export function countdown(span: number): number {
    return Math.max(0, Math.floor(span / 1000));
}
