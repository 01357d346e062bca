// The keyboard's focus: where it goes when what had it is removed or hidden.

const there = (element) => element.isConnected && element.checkVisibility();

// Note what has the focus. Where that has gone when the function returned is called, the focus goes
// to the first of some elements that is there.
export function noteFocus() {
  const had = document.activeElement;
  return (...others) => {
    if (!had || had === document.body || there(had)) return;
    const now = document.activeElement;
    if (now && now !== document.body && there(now)) return; // somebody gave it to another
    others.find((other) => other && there(other))?.focus();
  };
}
