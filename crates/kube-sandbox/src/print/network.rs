//! Services and what leads to them.

use serde_json::{Value, json};

use super::text::{NONE, UNSET, at_most_three, join, labels, or, plain, selector};
use super::{Column, Printer, Printing, Row, column, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): Printing = match plural {
        "services" => (SERVICE, service),
        "endpoints" => (const { &[column("Name"), column("Endpoints"), column("Age")] }, endpoints),
        "endpointslices" => (SLICE, slice),
        "ingresses" => (INGRESS, ingress),
        "ingressclasses" => {
            (const { &[column("Name"), column("Controller"), column("Parameters"), column("Age")] }, class)
        }
        "networkpolicies" => (const { &[column("Name"), column("Pod-Selector"), column("Age")] }, policy),
        "ipaddresses" => (const { &[column("Name"), column("ParentRef")] }, address),
        "servicecidrs" => (const { &[column("Name"), column("CIDRs"), column("Age")] }, cidr),
        _ => return None,
    };
    Some(Printer { columns, cells })
}

const SERVICE: &[Column] = &[
    column("Name"),
    column("Type"),
    column("Cluster-IP"),
    column("External-IP"),
    column("Port(s)"),
    column("Age"),
    wide("Selector"),
];

fn service(row: &Row<'_>) -> Vec<Value> {
    let ports = row.list("/spec/ports").iter().map(|port| {
        let node = port["nodePort"].as_i64().filter(|node| *node > 0).map(|node| format!(":{node}"));
        format!("{}{}/{}", port["port"], node.unwrap_or_default(), plain(&port["protocol"]))
    });
    let ports = ports.collect::<Vec<_>>().join(",");
    vec![
        row.name(),
        json!(row.text("/spec/type")),
        json!(row.text_or("/spec/clusterIPs/0", NONE)),
        json!(external(row)),
        json!(or(ports, NONE)),
        row.age(),
        json!(labels(row.at("/spec/selector"))),
    ]
}

fn external(row: &Row<'_>) -> String {
    let given = join(row.list("/spec/externalIPs").iter(), ",");
    match row.text("/spec/type") {
        "ExternalName" => row.text("/spec/externalName").to_owned(),
        "LoadBalancer" => {
            let balancer = ingress_points(row);
            let both = [balancer, given].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(",");
            or(both, "<pending>")
        }
        _ => or(given, NONE),
    }
}

fn ingress_points(row: &Row<'_>) -> String {
    let points = row.list("/status/loadBalancer/ingress").iter();
    let points = points.filter_map(|point| [&point["ip"], &point["hostname"]].into_iter().find(|one| one.is_string()));
    join(points, ",")
}

fn endpoints(row: &Row<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in row.list("/subsets") {
        let addresses = || subset["addresses"].as_array().into_iter().flatten().map(|one| plain(&one["ip"]));
        let ports = subset["ports"].as_array().map_or(&[][..], Vec::as_slice);
        if ports.is_empty() {
            all.extend(addresses());
        }
        for port in ports {
            all.extend(addresses().map(|ip| {
                let ip = if ip.contains(':') { format!("[{ip}]") } else { ip };
                format!("{ip}:{}", port["port"])
            }));
        }
    }
    vec![row.name(), json!(at_most_three(&all, NONE)), row.age()]
}

const SLICE: &[Column] = &[column("Name"), column("AddressType"), column("Ports"), column("Endpoints"), column("Age")];

fn slice(row: &Row<'_>) -> Vec<Value> {
    let ports = row.list("/ports").iter().map(|port| match (&port["port"], &port["name"]) {
        (Value::Number(number), _) => number.to_string(),
        (_, Value::String(name)) => name.clone(),
        _ => "*".to_owned(),
    });
    let ports: Vec<_> = ports.collect();
    let endpoints = row.list("/endpoints").iter();
    let endpoints: Vec<_> =
        endpoints.flat_map(|one| one["addresses"].as_array().into_iter().flatten().map(plain)).collect();
    vec![
        row.name(),
        json!(row.text("/addressType")),
        json!(at_most_three(&ports, UNSET)),
        json!(at_most_three(&endpoints, UNSET)),
        row.age(),
    ]
}

const INGRESS: &[Column] =
    &[column("Name"), column("Class"), column("Hosts"), column("Address"), column("Ports"), column("Age")];

fn ingress(row: &Row<'_>) -> Vec<Value> {
    let hosts = row.list("/spec/rules").iter().filter_map(|rule| rule["host"].as_str());
    let hosts: Vec<_> = hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect();
    let ports = if row.list("/spec/tls").is_empty() { "80" } else { "80, 443" };
    vec![
        row.name(),
        json!(row.text_or("/spec/ingressClassName", NONE)),
        json!(at_most_three(&hosts, "*")),
        json!(ingress_points(row)),
        json!(ports),
        row.age(),
    ]
}

fn class(row: &Row<'_>) -> Vec<Value> {
    let parameters = row.at("/spec/parameters").map_or_else(
        || NONE.to_owned(),
        |one| {
            let group = one["apiGroup"].as_str().map(|group| format!(".{group}")).unwrap_or_default();
            format!("{}{group}/{}", plain(&one["kind"]), plain(&one["name"]))
        },
    );
    let mark = "/metadata/annotations/ingressclass.kubernetes.io~1is-default-class";
    let name = row.text("/metadata/name");
    let name = if row.text(mark) == "true" { format!("{name} (default)") } else { name.to_owned() };
    vec![json!(name), json!(row.text("/spec/controller")), json!(parameters), row.age()]
}

fn policy(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(selector(row.at("/spec/podSelector"))), row.age()]
}

fn address(row: &Row<'_>) -> Vec<Value> {
    let parent = row.at("/spec/parentRef").map_or_else(
        || NONE.to_owned(),
        |parent| {
            let text = |field: &str| parent[field].as_str().filter(|text| !text.is_empty());
            let group = text("group").map(|group| format!(".{group}")).unwrap_or_default();
            let resource = format!("{}{group}", text("resource").unwrap_or_default());
            [Some(resource.as_str()), text("namespace"), text("name")]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("/")
        },
    );
    vec![row.name(), json!(parent)]
}

fn cidr(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(join(row.list("/spec/cidrs").iter(), ",")), row.age()]
}
