//! A controller that is going to be stopped (Ctrl-Z) says so: its silence is no fault until it goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::channel::{Channel, RemoteError};
use crate::link::Shared;
use crate::value::Value;

/// Ends with the channel, however that ends.
struct Pause(Arc<Shared>, u64);

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.patience.end(self.1);
    }
}

pub(super) async fn serve(channel: &Channel) -> Result<(), RemoteError> {
    let seconds = channel.receive().await?;
    let seconds = seconds.as_int().and_then(|seconds| u64::try_from(seconds).ok());
    let seconds = seconds.ok_or_else(|| RemoteError::new("TypeError", "how many seconds?"))?;
    let link = Arc::clone(channel.link());
    let number = link.patience.begin(Duration::from_secs(seconds));
    let _pause = Pause(link, number);
    let _ = channel.send(Value::None).await;
    let _ = channel.receive().await;
    Ok(())
}
