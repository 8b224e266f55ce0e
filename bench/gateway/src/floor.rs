//! What passing bytes on costs here, without reading them: no HTTP, no key, no queue.

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Serves on `port` of 127.0.0.1, a connection to `upstream` for each that comes, until killed.
pub(crate) async fn serve(port: u16, upstream: u16) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (mut near, _) = listener.accept().await?;
        tokio::spawn(async move {
            let passed = async {
                let mut far = TcpStream::connect(("127.0.0.1", upstream)).await?;
                near.set_nodelay(true)?;
                far.set_nodelay(true)?;
                copy_bidirectional(&mut near, &mut far).await
            };
            if let Err(error) = passed.await {
                eprintln!("a connection broke off: {error}");
            }
        });
    }
}
