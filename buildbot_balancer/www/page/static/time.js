// SPDX-License-Identifier: GPL-2.0-or-later
// Moments and durations, as people write them. The master's are epoch seconds.

import {h, moment, useEffect, useState} from './globals.js';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 2 * MINUTE) {
    return `${whole} s`;
  }
  if (whole < 2 * HOUR) {
    return `${Math.floor(whole / MINUTE)} min`;
  }
  if (whole < 2 * DAY) {
    return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
  }
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

// 18:00 for one of today, 24 Dec 08:00 for another.
export function clock(at) {
  const when = moment.unix(at);
  const today = when.isSame(moment(), 'day');
  const year = when.isSame(moment(), 'year') ? '' : ' YYYY';
  return when.format(today ? 'HH:mm' : `D MMM${year} HH:mm`);
}

export function Clock({at}) {
  return h('time', {dateTime: moment.unix(at).toISOString(), title: full(at)}, clock(at));
}

// How long ago that was.
export function Age({at}) {
  const now = useNow();
  return h('time', {dateTime: moment.unix(at).toISOString(), title: full(at)},
    duration(now - at));
}

const full = (at) => moment.unix(at).format('dddd, D MMMM YYYY, HH:mm:ss');

// One clock for all ages: a table of them is one timer.
const clocks = new Set();
let ticking = null;

export function useNow() {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    clocks.add(setNow);
    if (ticking === null) {
      ticking = setInterval(() => clocks.forEach((set) => set(Date.now() / 1000)), 5000);
    }
    return () => {
      clocks.delete(setNow);
      if (clocks.size === 0) {
        clearInterval(ticking);
        ticking = null;
      }
    };
  }, []);
  return now;
}
