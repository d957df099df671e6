// SPDX-License-Identifier: GPL-2.0-or-later
// What was done or has changed, said in one place: a screen reader reads it, a sighted person sees
// it for some seconds.

import {h, useEffect, useState} from './globals.js';

const SHOWN = 8000;  // milliseconds

const listeners = new Set();

export function announce(text) {
  listeners.forEach((heard) => heard(text));
}

export function Announcer() {
  const [text, setText] = useState('');
  useEffect(() => {
    let timer = null;
    const heard = (said) => {
      setText(said);
      clearTimeout(timer);
      timer = setTimeout(() => setText(''), SHOWN);
    };
    listeners.add(heard);
    return () => {
      listeners.delete(heard);
      clearTimeout(timer);
    };
  }, []);
  return h('div', {className: 'balancer-said', role: 'status', 'aria-live': 'polite'}, text);
}
