import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router/dom';
import { isStatus } from './api/client.ts';
import { connectEvents } from './api/events.ts';
import { applyScheme } from './components/scheme.ts';
import { LanguageProvider } from './i18n/text.tsx';
import { router } from './router.tsx';
import './theme.css';

const queries = new QueryClient({
  queryCache: new QueryCache({
    // The session ended: the shell asks who is there, and shows the sign-in page in place of this one.
    onError: (error) => {
      if (isStatus(error, 401)) void queries.invalidateQueries({ queryKey: ['me'] });
    },
  }),
  defaultOptions: {
    queries: {
      // The event stream says when something is out of date.
      staleTime: 60_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => isStatus(error, 0) && failures < 2,
    },
  },
});
applyScheme();
connectEvents(queries);

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <LanguageProvider>
        <RouterProvider router={router} />
      </LanguageProvider>
    </QueryClientProvider>
  </StrictMode>,
);
