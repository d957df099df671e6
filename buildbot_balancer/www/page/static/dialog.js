// SPDX-License-Identifier: GPL-2.0-or-later
// A question with an answer that is sent to the master: a reason, an end, a mood. What the master
// refuses is said here, and nothing that was typed is lost.

import {announce} from './announcer.js';
import {control} from './api.js';
import {h, useEffect, useId, useRef, useState} from './globals.js';

export const REASON = {
  name: 'reason', label: 'Reason', hint: 'What others will read.', maxLength: 200,
};
export const UNTIL = {
  name: 'until',
  label: 'Until',
  hint: '18:00, 2h or 2026-12-24 08:00; empty: until it is resumed.',
  maxLength: 40,
};

// action: {title, text, fields, method, path, verb, done}; `done` is what is said afterwards.
export function Dialog({action, onClose, onDone}) {
  const box = useRef(null);
  const title = useId();
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  useEffect(() => box.current.showModal(), []);  // Escape and the focus are the browser's work

  const send = async (event) => {
    event.preventDefault();
    const values = [...new FormData(event.target)].filter(([, value]) => value.trim() !== '');
    setBusy(true);
    setProblem('');
    try {
      await control(action.path, action.method, Object.fromEntries(values));
    } catch (error) {
      setProblem(error.message);
      setBusy(false);
      return;
    }
    announce(action.done);
    onDone();
    box.current?.close();
  };

  return h('dialog', {
    ref: box, className: 'balancer-dialog', 'aria-labelledby': title, onClose,
  },
  h('form', {onSubmit: send},
    h('h2', {id: title}, action.title),
    action.text ? h('p', null, action.text) : null,
    action.fields.map((field) => h(Field, {key: field.name, ...field})),
    h('p', {className: 'balancer-problem', role: 'alert'}, problem),
    h('div', {className: 'balancer-answers'},
      h('button', {type: 'button', onClick: () => box.current.close()}, 'Cancel'),
      h('button', {type: 'submit', className: 'balancer-main', disabled: busy}, action.verb))));
}

function Field({choices, hint, label, maxLength, name}) {
  const id = useId();
  const shared = {id, name, 'aria-describedby': hint ? `${id}-hint` : undefined};
  return h('div', {className: 'balancer-field'},
    h('label', {htmlFor: id}, label),
    choices
      ? h('select', shared, choices.map((value) => h('option', {key: value, value}, value)))
      : h('input', {...shared, type: 'text', maxLength, autoComplete: 'off'}),
    hint ? h('small', {id: `${id}-hint`}, hint) : null);
}

// Buttons, one an action; one without fields acts at once. `children` stand behind them.
export function Actions({actions, children = null, onDone}) {
  const [asked, setAsked] = useState(null);
  const [busy, setBusy] = useState(false);

  const act = async (action) => {
    setBusy(true);
    try {
      await control(action.path, action.method, {});
      announce(action.done);
      onDone();
    } catch (error) {
      announce(error.message);
    }
    setBusy(false);
  };

  return h('span', {className: 'balancer-actions'},
    actions.map((action) => h('button', {
      key: action.method,
      type: 'button',
      disabled: busy,
      'aria-label': action.title,
      'aria-haspopup': action.fields ? 'dialog' : undefined,
      onClick: () => (action.fields ? setAsked(action) : act(action)),
    }, action.verb)),
    children,
    asked === null ? null
      : h(Dialog, {action: asked, onDone, onClose: () => setAsked(null)}));
}
