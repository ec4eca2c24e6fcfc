//! Tasks that are there already, to try a docket out.

use super::{Cx, Policy, RegisterError, Registry, Show, Task};
use crate::sys::runs;
use crate::time::nanos;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::convert::Infallible;
use core::time::Duration;
use serde::de::{DeserializeOwned, Error};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

impl Registry {
    /// Learns three tasks by which a docket can be tried out from elsewhere, a command line for instance: `trace`, which logs its
    /// `message`; `fail`, which fails with its `message`; `sleep`, which sleeps for its `millis`. As types they are [`Trace`],
    /// [`Fail`] and [`Sleep`].
    ///
    /// # Errors
    /// If there is a task of one of these names.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use serde_json::json;
    /// use wakeful::cancel::Scope;
    /// use wakeful::docket::{Docket, Fail, Registry};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let docket = Docket::new(&sim.time(), Registry::new().builtins().unwrap());
    ///     let failing = docket.add(&Fail::with("broken")).unwrap().send().await.unwrap().handle;
    ///     docket.raw("sleep", json!({ "millis": 1500 })).unwrap().send().await.unwrap();
    ///     docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
    ///     assert_eq!(sim.now().as_nanos(), 1_500_000_000);
    ///     assert_eq!(failing.result().await.unwrap_err().to_string(), "it failed: broken");
    /// });
    /// ```
    pub fn builtins(self) -> Result<Self, RegisterError> {
        self.task::<Trace>()?.task::<Fail>()?.task::<Sleep>()
    }
}

/// Logs a message, and gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    message: String,
}

impl Trace {
    /// With this message.
    pub fn with(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl Task for Trace {
    const NAME: &'static str = "trace";
    const POLICY: Policy = Policy::new().log(&[Show::Value("message")]);
    type Output = String;
    type Error = Infallible;

    async fn run(self, _: Cx) -> Result<String, Infallible> {
        runs::message(&self.message);
        Ok(self.message)
    }
}

/// Fails with a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fail {
    message: String,
}

impl Fail {
    /// With this message.
    pub fn with(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl Task for Fail {
    const NAME: &'static str = "fail";
    const POLICY: Policy = Policy::new().log(&[Show::Value("message")]);
    type Output = ();
    type Error = String;

    async fn run(self, _: Cx) -> Result<(), String> {
        Err(self.message)
    }
}

/// Sleeps for a while.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sleep {
    millis: u64,
}

impl Sleep {
    /// So long, to the next millisecond.
    pub const fn of(time: Duration) -> Self {
        Self { millis: nanos(time).div_ceil(1_000_000) }
    }
}

impl Task for Sleep {
    const NAME: &'static str = "sleep";
    const POLICY: Policy = Policy::new().log(&[Show::Value("millis")]);
    type Output = ();
    type Error = Infallible;

    async fn run(self, cx: Cx) -> Result<(), Infallible> {
        cx.scope().sleep(Duration::from_millis(self.millis)).await;
        Ok(())
    }
}

// Written by hand: these are the only types here that need it, and macros for them are a long build.

fn write<S: Serializer>(to: S, field: &'static str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut fields = to.serialize_map(Some(1))?;
    fields.serialize_entry(field, value)?;
    fields.end()
}

/// The one field that there is.
fn read<'de, V: DeserializeOwned, D: Deserializer<'de>>(from: D, field: &'static str) -> Result<V, D::Error> {
    let mut fields = BTreeMap::<String, serde_json::Value>::deserialize(from)?;
    let value = fields.remove(field).ok_or_else(|| D::Error::missing_field(field))?;
    match fields.pop_first() {
        Some((stranger, _)) => Err(D::Error::custom(alloc::format!("unknown field `{stranger}`, expected `{field}`"))),
        None => serde_json::from_value(value).map_err(|error| D::Error::custom(alloc::format!("{field}: {error}"))),
    }
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write(to, "message", &self.message)
    }
}

impl<'de> Deserialize<'de> for Trace {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read(from, "message").map(|message| Self { message })
    }
}

impl Serialize for Fail {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write(to, "message", &self.message)
    }
}

impl<'de> Deserialize<'de> for Fail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read(from, "message").map(|message| Self { message })
    }
}

impl Serialize for Sleep {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write(to, "millis", &self.millis)
    }
}

impl<'de> Deserialize<'de> for Sleep {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read(from, "millis").map(|millis| Self { millis })
    }
}
