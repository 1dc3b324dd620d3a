//! `greenstar up`.

use std::process::ExitCode;

use greenstar_standalone::{Places, Sample, Settings, Suite};
use greenstar_telemetry::Format;

use crate::args::{Common, Up};

/// One of the sample's five-star enterprises.
const FIRM: &str = "91110115MAX000015J";

pub(crate) async fn run(common: &Common, up: &Up) -> ExitCode {
    if let Err(error) = greenstar_telemetry::init(Format::Text) {
        eprintln!("greenstar: {error}");
        return ExitCode::from(64);
    }
    let sample = match (up.no_sample, up.sample_date) {
        (true, _) => Sample::None,
        (false, Some(date)) => Sample::On(date),
        (false, None) => Sample::Today,
    };
    let settings = Settings {
        origins: up.allow_origin.clone(),
        ..Settings::new(&common.data, up.listen, sample)
    };
    let suite = match Suite::start(settings).await {
        Ok(suite) => suite,
        Err(error) => {
            eprintln!("greenstar: {error}");
            return ExitCode::FAILURE;
        }
    };
    let stop = greenstar_rpc::stop_on_signal();
    println!("ready http://{}", suite.address());
    eprintln!(
        "{}",
        calls(&suite.address().to_string(), &Places::new(&common.data))
    );
    stop.cancelled().await;
    suite.stop().await;
    greenstar_telemetry::close().await;
    ExitCode::SUCCESS
}

/// Four calls to paste into another terminal.
fn calls(address: &str, places: &Places) -> String {
    let key = |name: &str| {
        format!(
            "$(sed -n 's|^ *\"{name}\": \"\\([0-9a-f]*\\)\".*|\\1|p' '{}')",
            places.credentials().display()
        )
    };
    format!(
        "\n# who is listed\n\
         curl 'http://{address}/v1/rounds/daxing-2021-sample/directory?star=5'\n\n\
         # before a permit\n\
         curl -H \"authorization: Bearer {licensing}\" -d '{{\"permitKind\":\"pollutant-permit\"}}' \
         'http://{address}/v1/enterprises/{FIRM}:checkPermit'\n\n\
         # before a green loan\n\
         curl -H \"authorization: Bearer {finance}\" -d '{{}}' \
         'http://{address}/v1/enterprises/{FIRM}:checkGreenFinance'\n\n\
         # before a visit\n\
         curl -H \"authorization: Bearer {enforcement}\" \
         'http://{address}/v1/enterprises/{FIRM}/inspectionRegime'\n",
        licensing = key("licensing"),
        finance = key("finance"),
        enforcement = key("enforcement"),
    )
}
