/** Words in the reader's language. */
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import type { Catalog, Fill, Language, Translate } from './catalog.ts';
import { en } from './en.ts';
import { zh } from './zh.ts';

export const LANGUAGES: Record<Language, string> = { en: 'English', zh: '简体中文' };
export type TextKey = keyof typeof en;
export type Text = Translate<TextKey>;

const STORED = 'slipway.language';
const MAIN: Catalog<TextKey> = { en, zh };

interface Choice {
  language: Language;
  choose(language: Language): void;
}
const LanguageContext = createContext<Choice | null>(null);

function preferred(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored === 'en' || stored === 'zh') return stored;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(preferred);
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  }, [language]);
  const choice = useMemo(
    () => ({
      language,
      choose(next: Language) {
        localStorage.setItem(STORED, next);
        setLanguage(next);
      },
    }),
    [language],
  );
  return <LanguageContext value={choice}>{children}</LanguageContext>;
}

export function useLanguage(): Choice {
  const choice = useContext(LanguageContext);
  if (!choice) throw new Error('useLanguage is used outside LanguageProvider');
  return choice;
}

/** Words of the client; a part with many words of its own brings its own catalog. */
export function useText(): Text;
export function useText<Key extends string>(catalog: Catalog<Key>): Translate<Key>;
export function useText(catalog: Catalog<string> = MAIN): Translate<string> {
  const { language } = useLanguage();
  return useMemo(() => (key, given) => fill(catalog[language][key] ?? key, given), [catalog, language]);
}

const fill = (text: string, given: Fill = {}): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => String(given[name] ?? whole));
