// SPDX-License-Identifier: GPL-2.0-or-later
// Fields that narrow a list down. What is in them is in the address.

import {h, useEffect, useId, useRef, useState} from './globals.js';

const PAUSE = 300;  // milliseconds without a key, then the master is asked

export function Filters({children}) {
  return h('form', {
    className: 'balancer-filters',
    role: 'search',
    onSubmit: (event) => event.preventDefault(),
  }, children);
}

export function TextFilter({label, name, numeric = false, pages}) {
  const id = useId();
  const said = pages.params.get(name) ?? '';
  const [text, setText] = useState(said);
  const latest = useRef(pages);
  latest.current = pages;  // other filters may be set while this one waits for the next key
  useEffect(() => setText(said), [said]);
  useEffect(() => {
    if (text.trim() === said) {
      return undefined;
    }
    const timer = setTimeout(() => latest.current.change({[name]: text.trim()}, true), PAUSE);
    return () => clearTimeout(timer);
  }, [text, said]);
  return h('span', null,
    h('label', {htmlFor: id}, label),
    h('input', {
      id,
      type: 'search',
      inputMode: numeric ? 'numeric' : undefined,
      maxLength: 200,
      value: text,
      onChange: (event) => setText(event.target.value),
    }));
}

export function ChoiceFilter({choices, label, name, pages}) {
  const id = useId();
  return h('span', null,
    h('label', {htmlFor: id}, label),
    h('select', {
      id,
      value: pages.params.get(name) ?? '',
      onChange: (event) => pages.change({[name]: event.target.value}),
    }, choices.map(([value, caption]) => h('option', {key: value, value}, caption))));
}
