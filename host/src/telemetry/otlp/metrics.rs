//! The registry's metrics as OTLP has them. There is one registry, and one text of it: what a scraper reads and what is sent here can't differ.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

/// From when to when the counters count, nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) now: u64,
}

/// Labels, part of the name after the family's, value.
type Sample<'a> = (Vec<(String, String)>, &'a str, &'a str);

/// One metric, as its lines are read.
#[derive(Debug, Default)]
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
    help: String,
    unit: &'a str,
    samples: Vec<Sample<'a>>,
}

/// The body of a request, from OpenMetrics text.
pub(super) fn request(text: &str, resource: &[(String, String)], scope: &str, span: Span) -> Vec<u8> {
    let metrics = families(text).into_iter().filter(|family| !family.samples.is_empty()).map(|family| metric(&family, span)).collect();
    let scope = InstrumentationScope { name: scope.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), ..Default::default() };
    let attributes = resource.iter().map(|(name, value)| attribute(name, value)).collect();
    let of_scope = ScopeMetrics { scope: Some(scope), metrics, ..Default::default() };
    let of_resource = ResourceMetrics {
        resource: Some(Resource { attributes, ..Default::default() }),
        scope_metrics: vec![of_scope],
        ..Default::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![of_resource] }.encode_to_vec()
}

/// Reads our own text, in which the description of a family stands before its samples.
fn families(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for line in text.lines() {
        let described = line.strip_prefix("# ").and_then(|rest| {
            let mut words = rest.splitn(3, ' ');
            Some((words.next()?, words.next()?, words.next()?))
        });
        if let Some((what, name, rest)) = described {
            if families.last().is_none_or(|last| last.name != name) {
                families.push(Family { name, ..Family::default() });
            }
            let Some(family) = families.last_mut() else { continue };
            match what {
                "HELP" => family.help = rest.trim_end_matches('.').to_owned(),
                "TYPE" => family.kind = rest,
                "UNIT" => family.unit = rest,
                _ => {}
            }
            continue;
        }
        let Some(family) = families.last_mut() else { continue };
        let Some(rest) = line.strip_prefix(family.name) else { continue };
        let (labels, rest) = match rest.find(['{', ' ']) {
            Some(at) if rest[at..].starts_with('{') => {
                let (labels, length) = labels(&rest[at + 1..]);
                ((labels, &rest[..at]), &rest[at + 1 + length..])
            }
            Some(at) => ((Vec::new(), &rest[..at]), &rest[at..]),
            None => continue,
        };
        family.samples.push((labels.0, labels.1, rest.trim()));
    }
    families
}

/// `name="value",…}`: the labels, and the bytes up to and including the brace.
fn labels(text: &str) -> (Vec<(String, String)>, usize) {
    let mut labels = Vec::new();
    let mut at = 0;
    while let Some((name, _)) = text[at..].trim_start_matches(',').split_once("=\"") {
        if text[at..].starts_with('}') {
            break;
        }
        at = text.len() - text[at..].trim_start_matches(',').len() + name.len() + 2;
        let mut value = String::new();
        let mut characters = text[at..].char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    at += index + 1;
                    break;
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => break,
                },
                other => value.push(other),
            }
        }
        labels.push((name.to_owned(), value));
    }
    let end = text[at..].find('}').map_or(text.len(), |end| at + end + 1);
    (labels, end)
}

fn metric(family: &Family<'_>, span: Span) -> Metric {
    let cumulative = AggregationTemporality::Cumulative as i32;
    let (suffix, data) = match family.kind {
        "counter" => {
            let data_points = points(family, span, span.start);
            ("_total", metric::Data::Sum(Sum { data_points, aggregation_temporality: cumulative, is_monotonic: true }))
        }
        "histogram" => {
            ("", metric::Data::Histogram(Histogram { data_points: histograms(family, span), aggregation_temporality: cumulative }))
        }
        _ => ("", metric::Data::Gauge(Gauge { data_points: points(family, span, 0) })),
    };
    let unit = match family.unit {
        "seconds" => "s",
        "bytes" => "By",
        _ => "",
    };
    let description = family.help.clone();
    Metric { name: format!("{}{suffix}", family.name), description, unit: unit.to_owned(), data: Some(data), ..Default::default() }
}

fn points(family: &Family<'_>, span: Span, start: u64) -> Vec<NumberDataPoint> {
    let point = |(labels, _, value): &(Vec<(String, String)>, &str, &str)| NumberDataPoint {
        attributes: labels.iter().map(|(name, value)| attribute(name, value)).collect(),
        start_time_unix_nano: start,
        time_unix_nano: span.now,
        value: value.parse().ok().map(number_data_point::Value::AsDouble),
        ..Default::default()
    };
    family.samples.iter().map(point).collect()
}

/// The text counts up to each bound; OTLP counts between bounds.
fn histograms(family: &Family<'_>, span: Span) -> Vec<HistogramDataPoint> {
    let mut points: BTreeMap<Vec<(String, String)>, HistogramDataPoint> = BTreeMap::new();
    for (labels, part, value) in &family.samples {
        let bound = labels.iter().find(|(name, _)| name == "le").and_then(|(_, bound)| bound.parse::<f64>().ok());
        let own: Vec<(String, String)> = labels.iter().filter(|(name, _)| name != "le").cloned().collect();
        let attributes = || own.iter().map(|(name, value)| attribute(name, value)).collect();
        let point = points.entry(own.clone()).or_insert_with(|| HistogramDataPoint {
            attributes: attributes(),
            start_time_unix_nano: span.start,
            time_unix_nano: span.now,
            ..Default::default()
        });
        match *part {
            "_sum" => point.sum = value.parse().ok(),
            "_count" => point.count = value.parse().unwrap_or(0),
            "_bucket" => {
                let below: u64 = point.bucket_counts.iter().sum();
                point.bucket_counts.push(value.parse::<u64>().unwrap_or(0).saturating_sub(below));
                // The last bucket ends nowhere.
                point.explicit_bounds.extend(bound.filter(|bound| bound.is_finite()));
            }
            _ => {}
        }
    }
    points.into_values().collect()
}

fn attribute(name: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: name.to_owned(), value: Some(value), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scraper_reads_is_what_is_sent() {
        let text = concat!(
            "# HELP a_b Some \"thing\".\n# TYPE a_b counter\n",
            "a_b_total{x=\"q\\\"u}o,te\\\\\",y=\"\"} 3\n",
            "# HELP c_seconds Time.\n# TYPE c_seconds histogram\n# UNIT c_seconds seconds\n",
            "c_seconds_sum{p=\"k\"} 1.5\nc_seconds_count{p=\"k\"} 4\n",
            "c_seconds_bucket{le=\"0.1\",p=\"k\"} 1\nc_seconds_bucket{le=\"1.0\",p=\"k\"} 3\nc_seconds_bucket{le=\"+Inf\",p=\"k\"} 4\n",
            "# HELP d D.\n# TYPE d gauge\nd -2.5\n# HELP e None.\n# TYPE e gauge\n# EOF\n",
        );
        let body = request(text, &[("service.name".to_owned(), "s".to_owned())], "scope", Span { start: 1, now: 2 });
        let read = ExportMetricsServiceRequest::decode(body.as_slice()).expect("a message");
        let metrics = &read.resource_metrics[0].scope_metrics[0].metrics;
        assert_eq!(metrics.iter().map(|metric| metric.name.as_str()).collect::<Vec<_>>(), ["a_b_total", "c_seconds", "d"]);
        let Some(metric::Data::Sum(sum)) = &metrics[0].data else { panic!("{metrics:?}") };
        assert!(sum.is_monotonic && metrics[0].description == "Some \"thing\"");
        assert_eq!(sum.data_points[0].attributes, [attribute("x", "q\"u}o,te\\"), attribute("y", "")]);
        assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsDouble(3.0)));
        let Some(metric::Data::Histogram(histogram)) = &metrics[1].data else { panic!("{metrics:?}") };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum, metrics[1].unit.as_str()), (4, Some(1.5), "s"));
        assert_eq!((point.bucket_counts.as_slice(), point.explicit_bounds.as_slice()), ([1, 2, 1].as_slice(), [0.1, 1.0].as_slice()));
        let Some(metric::Data::Gauge(gauge)) = &metrics[2].data else { panic!("{metrics:?}") };
        assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(-2.5)));
    }
}
