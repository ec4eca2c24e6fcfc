//! Sources that come page by page.
//!
//! # Invariants
//!
//! - **G1** One page is fetched at a time, and its cursor stays in `next` until it is here: whatever ends the run, what was not
//!   given can be asked for again.
//! - **G2** A fetch that is under way has the waker of whoever pulled or looked ahead last.

use super::source::{Source, exact};
use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::iter::FusedIterator;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// How many empty pages are passed over before others have a turn.
const BUDGET: u32 = 16;

/// Some items, and the cursor of the page after them, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<I, C> {
    /// The items. There may be none.
    pub items: I,
    /// What to fetch next. None: these were the last.
    pub next: Option<C>,
}

/// A source whose items are fetched page by page, as from the listing of a service. `fetch` is called with the cursor of each page,
/// first with `first`.
///
/// While the items of one page are worked on, the next page is fetched, [as soon as it is known](Pages::fetch_at) what to ask
/// for. There are never more than two pages in memory. When a fetch ends with an error there are no further items: the run ends, when
/// those that were here are done, with [`Stop::Exhausted`](super::Stop::Exhausted), and [`PagesRest::error`] says why.
/// To try again, and to bound the time of a fetch, is for `fetch`: a [`Retry`](crate::resilience::Retry) around a call, for
/// instance. It is polled in the run's scope, as bodies are: what waits in it sees the run's deadline.
///
/// # Cancel safety
/// A fetch that is under way when the run ends is dropped; its cursor is in [`PagesRest::next`].
///
/// # Panics
/// A panic of `fetch` is one of the source: the run passes it on.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Count, Lease, Page, pages, work};
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, time) = (Scope::new(sim.time()), sim.time());
///     // Three pages of ten items, each of which takes a second to come.
///     let listing = pages(0, |page: u32| {
///         let sleep = time.sleep(Duration::from_secs(1));
///         async move {
///             sleep.await;
///             Ok::<_, ()>(Page { items: page * 10..page * 10 + 10, next: Some(page + 1).filter(|next| *next < 3) })
///         }
///     });
///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(1)).await) };
///     let five = NonZeroUsize::new(5).unwrap();
///     let report = work(listing).workers(five).run(&scope, body, Count::new()).await;
///     // The first page is waited for; the others come while there is work.
///     assert_eq!((report.count.done, report.elapsed()), (30, Duration::from_secs(7)));
/// });
/// ```
pub fn pages<C, F, Fut, I, E>(first: C, fetch: F) -> Pages<C, F>
where
    C: Clone,
    F: FnMut(C) -> Fut,
    Fut: Future<Output = Result<Page<I, C>, E>>,
    I: IntoIterator,
{
    Pages {
        fetch,
        next: Some(first),
        under_way: None,
        waker: None,
        page: None,
        after: None,
        at: usize::MAX,
        error: None,
    }
}

/// A function that fetches a page by its cursor: what [`pages`] takes, whose items and errors go by its type alone.
pub trait Fetch<C>: FnMut(C) -> Self::Future {
    /// The fetch that it begins.
    type Future: Future<Output = Result<Page<Self::Items, C>, Self::Error>>;
    /// The items of a page.
    type Items: IntoIterator;
    /// Why a page can't be fetched.
    type Error;
}

impl<C, F, Fut, I, E> Fetch<C> for F
where
    F: FnMut(C) -> Fut,
    Fut: Future<Output = Result<Page<I, C>, E>>,
    I: IntoIterator,
{
    type Future = Fut;
    type Items = I;
    type Error = E;
}

/// The items of a page, one after another.
type Items<C, F> = <<F as Fetch<C>>::Items as IntoIterator>::IntoIter;

/// A source that comes page by page; made by [`pages`].
pub struct Pages<C, F: Fetch<C>> {
    fetch: F,
    /// G1.
    next: Option<C>,
    under_way: Option<Pin<Box<F::Future>>>,
    /// G2.
    waker: Option<Waker>,
    /// What is given.
    page: Option<Items<C, F>>,
    /// What was fetched ahead.
    after: Option<Items<C, F>>,
    /// A page is fetched ahead when so many items are left, or fewer.
    at: usize,
    error: Option<F::Error>,
}

impl<C, F: Fetch<C>> Pages<C, F> {
    /// Fetches the next page when only so many items of a page are left, by what its iterator knows
    /// ([at least](Iterator::size_hint)), instead of as soon as it is there. Zero: when it is asked for the first item of the
    /// next page, so that nothing is fetched in vain.
    #[must_use]
    pub fn fetch_at(mut self, items_left: usize) -> Self {
        self.at = items_left;
        self
    }
}

impl<C: Clone, F: Fetch<C>> Pages<C, F> {
    /// Goes on with the fetch that is under way, or begins one. Ready: there is nothing more to wait for.
    fn poll_fetch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.after.is_some() || self.error.is_some() {
            return Poll::Ready(());
        }
        let fetch = match &mut self.under_way {
            Some(fetch) => fetch,
            None => {
                let Some(cursor) = self.next.clone() else { return Poll::Ready(()) };
                self.under_way.insert(Box::pin((self.fetch)(cursor)))
            }
        };
        let Poll::Ready(fetched) = fetch.as_mut().poll(cx) else {
            self.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.waker = None;
        self.under_way = None;
        match fetched {
            Ok(Page { items, next }) => {
                self.next = next;
                self.after = Some(items.into_iter());
            }
            Err(error) => self.error = Some(error),
        }
        Poll::Ready(())
    }

    /// Begins to fetch, where it is time to, and leaves a fetch alone that will wake whoever asks.
    fn look_ahead(&mut self, cx: &mut Context<'_>) {
        let left = self.page.as_ref().map_or(0, |page| page.size_hint().0);
        let is_awaited = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if left <= self.at && self.at > 0 && !is_awaited {
            let _ = self.poll_fetch(cx);
        }
    }
}

impl<C: Clone, F: Fetch<C>> Source for Pages<C, F> {
    type Item = <F::Items as IntoIterator>::Item;
    type Rest = PagesRest<Items<C, F>, C, F::Error>;

    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        for _ in 0..BUDGET {
            if let Some(item) = self.page.as_mut().and_then(Iterator::next) {
                self.look_ahead(cx);
                return Poll::Ready(Some(item));
            }
            self.page = self.after.take();
            if self.page.is_none() {
                if self.error.is_some() || self.next.is_none() {
                    return Poll::Ready(None);
                }
                if self.poll_fetch(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        if self.under_way.is_some() {
            let _ = self.poll_fetch(cx);
        }
    }

    fn remaining(&self) -> Option<usize> {
        if self.next.is_some() {
            return None;
        }
        let [page, after] =
            [&self.page, &self.after].map(|page| page.as_ref().map_or(Some(0), |p| exact(p.size_hint())));
        page?.checked_add(after?)
    }

    fn into_rest(self) -> Self::Rest {
        let Self { page, after, next, error, .. } = self;
        PagesRest { items: Unpulled { page, after }, next, error }
    }
}

impl<C: fmt::Debug, F: Fetch<C, Error: fmt::Debug>> fmt::Debug for Pages<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("next", &self.next)
            .field("fetches", &self.under_way.is_some())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// What is left of [`Pages`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PagesRest<I, C, E> {
    /// Items that were fetched and not pulled.
    pub items: Unpulled<I>,
    /// The cursor of the page after them, which was not fetched, or could not be. None: they are the last.
    pub next: Option<C>,
    /// Why it could not be fetched.
    pub error: Option<E>,
}

/// The items of pages that were fetched and not pulled: an iterator.
#[derive(Clone, Debug)]
pub struct Unpulled<I> {
    page: Option<I>,
    after: Option<I>,
}

impl<I: Iterator> Iterator for Unpulled<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        loop {
            if let Some(item) = self.page.as_mut().and_then(Iterator::next) {
                return Some(item);
            }
            self.page = Some(self.after.take()?);
        }
    }
}

impl<I: Iterator> FusedIterator for Unpulled<I> where I: FusedIterator {}
