//! What the service asks: another service, which may be slow, or down.

use super::net::{Lines, Net, Writer};
use std::io;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::resilience::{BreakerConfig, BreakerState, CircuitBreaker, Exponential, Retry, Schedule};
use wakeful::time::Time;

#[derive(Clone)]
pub(crate) struct Backend<N> {
    net: N,
    address: String,
    timeout: Duration,
    breaker: CircuitBreaker,
}

impl<N: Net> Backend<N> {
    pub(crate) fn new(net: N, time: &Time, address: String, timeout: Duration) -> Self {
        // Left alone for a second when half of what it was asked in the last ten seconds has failed.
        let config = BreakerConfig::time(Duration::from_secs(10)).open_for(Duration::from_secs(1));
        let breaker = CircuitBreaker::new(time, config).expect("its figures are in range");
        Self { net, address, timeout, breaker }
    }

    /// Waits until it answers at all: a service that starts together with it may be the earlier one.
    pub(crate) async fn ready(&self, scope: &Scope) -> io::Result<()> {
        let pauses = Exponential::new(Duration::from_millis(50)).cap(Duration::from_secs(2));
        let retry = Retry::new(pauses).notify(|again| eprintln!("waiting for the back end: {}", again.error));
        let ready = retry.run(scope, |_| self.exchange("ping")).await;
        ready.map(drop).map_err(|gave_up| gave_up.error)
    }

    /// Its answer to a request, unless it is known not to answer just now.
    pub(crate) async fn ask(&self, scope: &Scope, request: &str) -> Result<String, String> {
        let call = async || {
            let answer = scope.fail_after(self.timeout, async |_| self.exchange(request).await).await;
            answer.map_err(io::Error::other).and_then(|answer| answer)
        };
        self.breaker.call(call).await.map_err(|error| error.to_string())
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.breaker.state() == BreakerState::Closed
    }

    async fn exchange(&self, request: &str) -> io::Result<String> {
        let (mut lines, mut writer) = self.net.connect(&self.address).await?;
        writer.write(&format!("{request}\n")).await?;
        lines.next().await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
