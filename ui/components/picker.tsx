/** A field to choose one of many in: type to search, arrows to move, Enter to choose. */
import { type KeyboardEvent, type ReactNode, useEffect, useId, useState } from 'react';
import { useText } from '../i18n/text.tsx';
import form from './form.module.css';
import css from './picker.module.css';
import { type Searchable, searchItems } from './picker-search.ts';

export interface PickerItem extends Searchable {
  /** How it looks in the list; the text, where left out. */
  show?: ReactNode;
}

interface PickerProps {
  label: string;
  items: readonly PickerItem[];
  value: string;
  onPick: (key: string) => void;
  /** Makes an item of what was typed, where that is none of the list. */
  typed?: (text: string) => PickerItem | null;
  /** About the list: that it is on its way, or why it is not there. */
  hint?: ReactNode;
}

export function Picker({ label, items, value, onPick, typed, hint }: PickerProps) {
  const id = useId();
  /** Null while the list is closed. */
  const [search, setSearch] = useState<string | null>(null);
  const [active, setActive] = useState(0);
  const chosen = items.find(({ key }) => key === value);
  const text = chosen?.text ?? typed?.(value)?.text ?? value;
  const open = search !== null;
  const { found, more } = open ? searchItems(items, search, typed) : { found: [], more: 0 };
  const at = Math.min(active, found.length - 1);

  const start = (with_: string) => {
    setSearch(with_);
    setActive(with_ === '' && chosen ? items.indexOf(chosen) : 0);
  };
  const pick = ({ key }: PickerItem) => {
    setSearch(null);
    onPick(key);
  };
  const move = (by: number) => (open ? setActive(Math.max(0, Math.min(found.length - 1, at + by))) : start(''));
  const press = (event: KeyboardEvent) => {
    const picked = found[at];
    if (event.key === 'ArrowDown') move(1);
    else if (event.key === 'ArrowUp') move(-1);
    // Where nothing is found, Enter must not send the form.
    else if (event.key === 'Enter' && open) picked && pick(picked);
    // Of the list alone, and not of the dialog that it is in.
    else if (event.key === 'Escape' && open) setSearch(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className={form.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className={css.input}
        role="combobox"
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open && found[at] ? `${id}-${at}` : undefined}
        autoComplete="off"
        spellCheck={false}
        value={search ?? text}
        placeholder={text}
        onFocus={(event) => event.target.select()}
        onClick={() => open || start('')}
        onChange={(event) => start(event.target.value)}
        onKeyDown={press}
        onBlur={() => setSearch(null)}
      />
      {open && <Options id={id} label={label} found={found} more={more} at={at} value={value} onPick={pick} />}
      {hint && <span className={form.hint}>{hint}</span>}
    </div>
  );
}

interface OptionsProps {
  id: string;
  label: string;
  found: PickerItem[];
  more: number;
  at: number;
  value: string;
  onPick: (item: PickerItem) => void;
}

function Options({ id, label, found, more, at, value, onPick }: OptionsProps) {
  const t = useText();
  useEffect(() => {
    document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: 'nearest' });
  }, [id, at]);
  return (
    <>
      <div id={`${id}-list`} role="listbox" aria-label={label} className={css.list}>
        {found.map((item, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys go to the field, which names the active option
          <div
            key={item.key}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={item.key === value}
            className={`${css.option} ${index === at ? css.active : ''}`}
            // The field keeps the focus.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => onPick(item)}
          >
            {item.show ?? item.text}
          </div>
        ))}
      </div>
      {found.length === 0 && <p className={css.note}>{t('picker.none')}</p>}
      {more > 0 && <p className={css.note}>{t('picker.more', { count: more })}</p>}
    </>
  );
}
