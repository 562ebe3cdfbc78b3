//! Kubernetes' libraries.

use super::{fails, holds};

#[test]
fn addresses() {
    holds(&[
        "isIP('192.168.0.1') && isIP('2001:db8::abcd') && !isIP('192.168.0.') && !isIP('::ffff:192.168.0.1')",
        "!isIP('fe80::1%eth0') && !isIP('192.168.0.01') && !isIP('')",
        "ip('192.168.0.1').family() == 4 && ip('2001:db8::abcd').family() == 6",
        "ip.isCanonical('127.0.0.1') && ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD')",
        "ip('0.0.0.0').isUnspecified() && ip('::').isUnspecified() && !ip('127.0.0.1').isUnspecified()",
        "ip('127.0.0.1').isLoopback() && ip('::1').isLoopback() && !ip('192.168.0.1').isLoopback()",
        "ip('224.0.0.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()",
        "ip('169.254.169.254').isLinkLocalUnicast() && ip('fe80::1').isLinkLocalUnicast()",
        "ip('192.168.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast() && ip('2001:db8::abcd').isGlobalUnicast()",
        "ip('127.0.0.1') == ip('127.0.0.1') && ip('127.0.0.1') != ip('10.0.0.1') && ip('::1') == ip('0:0:0:0:0:0:0:1')",
        "string(ip('192.168.0.1')) == '192.168.0.1' && type(ip('::1')) == net.IP",
        "isCIDR('192.168.0.0/24') && !isCIDR('192.168.0.0/') && !isCIDR('192.168.0.0/33') && !isCIDR('::ffff:1.2.3.0/120')",
        "cidr('192.168.0.0/24').containsIP(ip('192.168.0.1')) && cidr('192.168.0.0/24').containsIP('192.168.0.1')",
        "!cidr('192.168.0.0/24').containsIP('192.168.1.1') && !cidr('192.168.0.0/24').containsIP('::1')",
        "cidr('192.168.0.0/24').containsCIDR('192.168.0.0/25') && !cidr('192.168.0.0/24').containsCIDR('192.168.0.0/23')",
        "cidr('192.168.0.0/24').containsCIDR(cidr('192.168.0.128/25'))",
        "cidr('192.168.0.1/24').masked() == cidr('192.168.0.0/24') && cidr('192.168.0.0/24').prefixLength() == 24",
        "cidr('192.168.0.1/24').ip() == ip('192.168.0.1') && string(cidr('192.168.0.0/24')) == '192.168.0.0/24'",
        "cidr('0.0.0.0/0').containsIP('8.8.8.8') && cidr('::/0').containsIP('::1')",
    ]);
    fails(&[
        (
            "ip('192.168.0.') == ip('1.1.1.1')",
            "IP Address \"192.168.0.\" parse error during conversion from string: ParseAddr(\"192.168.0.\"): IPv4 field \
             must have at least one digit",
        ),
        ("ip('fe80::1%en0').family() == 6", "IP address \"fe80::1%en0\" with zone value is not allowed"),
        ("ip('::ffff:1.2.3.4').family() == 6", "IPv4-mapped IPv6 address \"::ffff:1.2.3.4\" is not allowed"),
        (
            "cidr('192.168.0.0/').prefixLength() == 1",
            "network address parse error during conversion from string: network address parse error during conversion \
             from string: netip.ParsePrefix(\"192.168.0.0/\"): bad bits after slash: \"\"",
        ),
    ]);
}

#[test]
fn texts() {
    holds(&[
        "'tacocat'.charAt(3) == 'o' && 'tacocat'.charAt(7) == ''",
        "'tacocat'.indexOf('') == 0 && 'tacocat'.indexOf('ac') == 1 && 'tacocat'.indexOf('none') == -1",
        "'tacocat'.indexOf('a', 3) == 5 && 'tacocat'.indexOf('at', 3) == 5 && 'ta\u{a9}o\u{a9}\u{3b1}T'.indexOf('\u{a9}', 3) == 4",
        "'tacocat'.lastIndexOf('') == 7 && 'tacocat'.lastIndexOf('at') == 5 && 'tacocat'.lastIndexOf('none') == -1",
        "'tacocat'.lastIndexOf('a', 3) == 1 && 'ta\u{a9}o\u{a9}\u{3b1}T'.lastIndexOf('\u{a9}') == 4",
        "['x', 'y'].join() == 'xy' && ['x', 'y'].join('-') == 'x-y' && [].join() == ''",
        "'TacoCat'.lowerAscii() == 'tacocat' && 'tacoCat'.upperAscii() == 'TACOCAT' && 'T\u{c9}'.lowerAscii() == 't\u{c9}'",
        "'12 days 12 hours'.replace('{0}', '2') == '12 days 12 hours' && '{0} days {0} hours'.replace('{0}', '2') == '2 days 2 hours'",
        "'{0} days {0} hours'.replace('{0}', '2', 1) == '2 days {0} hours' && '1 \u{a9}'.replace('', '_') == '_1_ _\u{a9}_'",
        "'hello hello hello'.split(' ') == ['hello', 'hello', 'hello'] && 'hello hello hello'.split(' ', 2) == ['hello', 'hello hello']",
        "'hello'.split('') == ['h', 'e', 'l', 'l', 'o'] && 'a b'.split(' ', 0) == [] && 'a b'.split(' ', -1) == ['a', 'b']",
        "'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco' && 'ta\u{a9}o\u{a9}\u{3b1}T'.substring(2, 6) == '\u{a9}o\u{a9}\u{3b1}'",
        "'  \\ttrim\\n '.trim() == 'trim' && strings.quote('a\"b\\n') == '\"a\\\\\"b\\\\n\"'",
        "'%d %s %.1f %x %b %o'.format([1, 'a', 1.25, 255, 5, 8]) == '1 a 1.2 ff 101 10'",
        "'%e'.format([3.14]) == '3.140000×10\u{2070}\u{2070}' && '%s'.format([['a', 1, true]]) == '[\"a\", 1, true]' && '%s'.format([{'k': 'v'}]) == '{\"k\":\"v\"}' && '%%'.format([]) == '%'",
        "'%X'.format(['hi']) == '6869' && '%s'.format([duration('1s')]) == '1s'",
        "'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == '' && '1 2 3'.findAll('[0-9]') == ['1', '2', '3']",
        "'1 2 3'.findAll('[0-9]', 2) == ['1', '2'] && '1 2'.findAll('x') == []",
        "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c')",
    ]);
    fails(&[
        ("'tacocat'.charAt(30) == ''", "index out of range: 30"),
        ("'tacocat'.substring(40) == ''", "index out of range: 40"),
        ("'tacocat'.substring(4, 1) == ''", "invalid substring range. start: 4, end: 1"),
        ("'a'.indexOf('a', -1) == 0", "index out of range: -1"),
        (
            "'%d'.format(['a']) == ''",
            "error during formatting: decimal clause can only be used on integers, was given string",
        ),
        ("'%s'.format([]) == ''", "index 0 out of range"),
    ]);
}

#[test]
fn lists() {
    holds(&[
        "[1, 2, 3].isSorted() && ['a', 'b'].isSorted() && ![2, 1].isSorted() && [].isSorted() == true",
        "[1, 2, 3].sum() == 6 && [1.0, 2.5].sum() == 3.5 && [duration('1s'), duration('2s')].sum() == duration('3s')",
        "[3, 1, 2].max() == 3 && [3, 1, 2].min() == 1 && ['a', 'c', 'b'].max() == 'c'",
        "[1, 2, 2, 3].indexOf(2) == 1 && [1, 2, 2, 3].lastIndexOf(2) == 2 && [1].indexOf(9) == -1",
        "[1, 2, 3, 4].slice(1, 3) == [2, 3] && [[1], [2, 3]].flatten() == [1, 2, 3] && [[1], [2, 3]].flatten(2) == [1, 2, 3]",
        "[3, 1, 2].sort() == [1, 2, 3] && ['b', 'a'].sort() == ['a', 'b'] && [1, 2, 3].reverse() == [3, 2, 1]",
        "[1, 2, 2, 1].distinct() == [1, 2] && lists.range(3) == [0, 1, 2]",
        "['ccc', 'a', 'bb'].sortBy(s, size(s)) == ['a', 'bb', 'ccc']",
        "sets.contains([1, 2, 3], [2, 3]) && !sets.contains([1], [2]) && sets.equivalent([1, 1], [1]) && sets.intersects([1, 2], [2, 3])",
        "sets.contains([1], []) && !sets.intersects([1], [])",
    ]);
    fails(&[
        ("[].max() == 1", "max called on empty list"),
        ("[1].slice(0, 2) == []", "cannot slice(0, 2), list is length 1"),
        ("[1].slice(-1, 1) == []", "cannot slice(-1, 1), negative indexes not supported"),
    ]);
}

#[test]
fn urls() {
    holds(&[
        "isURL('https://a.example:80/p?k=v') && isURL('/absolute-path') && !isURL('relative-path') && !isURL('https://a:b:c/')",
        "url('https://user:pass@example.com:80/path?query=val#fragment').getScheme() == 'https'",
        "url('https://example.com:80/').getHost() == 'example.com:80' && url('https://example.com/').getHost() == 'example.com'",
        "url('https://[::1]:80/').getHost() == '[::1]:80' && url('https://[::1]:80/').getHostname() == '::1'",
        "url('https://example.com:80/').getHostname() == 'example.com' && url('https://example.com:80/').getPort() == '80'",
        "url('https://example.com/').getPort() == '' && url('/path').getHost() == ''",
        "url('https://example.com/path').getEscapedPath() == '/path' && url('https://example.com/with space/').getEscapedPath() == '/with%20space/'",
        "url('https://example.com/path?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}",
        "url('https://example.com/path?key with spaces=value%20x').getQuery() == {'key with spaces': ['value x']}",
        "url('https://example.com/path').getQuery() == {}",
    ]);
    fails(&[(
        "url('relative').getHost() == ''",
        "URL parse error during conversion from string: parse \"relative\": invalid URI for request",
    )]);
}

#[test]
fn quantities() {
    holds(&[
        "isQuantity('20') && isQuantity('20M') && isQuantity('20Mi') && isQuantity('1.3Gi') && !isQuantity('200K') && !isQuantity('Three')",
        "quantity('200M') == quantity('0.2G') && quantity('2000k') == quantity('2M') && quantity('1Mi') != quantity('1M')",
        "quantity('50M').compareTo(quantity('50Mi')) == -1 && quantity('50Mi').compareTo(quantity('50M')) == 1",
        "quantity('200M').compareTo(quantity('0.2G')) == 0 && quantity('50Mi').isGreaterThan(quantity('50M'))",
        "quantity('50M').isLessThan(quantity('50Mi')) && !quantity('50M').isLessThan(quantity('50M'))",
        "sign(quantity('50k')) == 1 && sign(quantity('-50k')) == -1 && sign(quantity('0')) == 0",
        "quantity('50k').add(quantity('20')) == quantity('50020') && quantity('50k').add(20) == quantity('50020')",
        "quantity('50k').sub(quantity('20')) == quantity('49980') && quantity('50k').sub(-50000) == quantity('100k')",
        "quantity('50k').add(20).sub(quantity('100k')).sub(-50000) == quantity('20')",
        "quantity('50M').asInteger() == 50000000 && quantity('50M').isInteger() && !quantity('50.7m').isInteger()",
        "!quantity('9999999999999999999999999999999999999G').isInteger() && quantity('50.703k').asApproximateFloat() == 50703.0",
        "quantity('100m') == quantity('0.1') && quantity('1e3') == quantity('1k')",
    ]);
    fails(&[
        (
            "quantity('10 Mo') == quantity('1')",
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ("quantity('50.7m').asInteger() == 1", "cannot convert value to integer"),
    ]);
}

#[test]
fn versions() {
    holds(&[
        "isSemver('1.2.3') && isSemver('1.2.3-rc.1+build.5') && !isSemver('1.2') && !isSemver('v1.0.0') && !isSemver('01.2.3')",
        "isSemver('v1.0', true) && isSemver('01.01.01', true) && semver('v01.01', true) == semver('1.1.0')",
        "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
        "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0').isGreaterThan(semver('1.0.0-rc.1'))",
        "semver('1.0.0-rc.1').compareTo(semver('1.0.0-rc.2')) == -1 && semver('1.2.3').compareTo(semver('1.2.3')) == 0",
    ]);
    fails(&[("semver('v1.0').major() == 1", "No Major.Minor.Patch elements found")]);
}

#[test]
fn formats() {
    const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or \\'-\\', and must \
                         start and end with an alphanumeric character (e.g. \\'my-name\\',  or \\'123-abc\\', regex used \
                         for validation is \\'[a-z0-9]([-a-z0-9]*[a-z0-9])?\\')";
    holds(&[
        "format.dns1123Label().validate('my-label-name') == optional.none()",
        "format.dns1123Subdomain().validate('apiextensions.k8s.io') == optional.none()",
        "format.qualifiedName().validate('apiextensions.k8s.io/v1beta1') == optional.none()",
        "format.dns1123LabelPrefix().validate('my-label-prefix-') == optional.none()",
        "format.dns1123SubdomainPrefix().validate('mysubdomain.prefix.-') == optional.none()",
        "format.dns1035LabelPrefix().validate('my-label-prefix-') == optional.none()",
        "format.uri().validate('http://example.com') == optional.none()",
        "format.uuid().validate('123e4567-e89b-12d3-a456-426614174000') == optional.none()",
        "format.byte().validate('aGVsbG8=') == optional.none() && format.byte().validate('aGVsbG8').value() == ['invalid base64']",
        "format.date().validate('2021-01-01') == optional.none() && format.date().validate('2020-01-32').value() == ['invalid date']",
        "format.datetime().validate('2021-01-01T00:00:00Z') == optional.none()",
        "format.datetime().validate('2020-01-32T00:00:00Z').value() == ['invalid datetime']",
        "!format.named('unknown').hasValue() && format.named('dns1123Label').value() == format.dns1123Label()",
        "format.dns1123Label() != format.dns1123Subdomain() && format.labelValue().validate('my-cool-label-Value') == optional.none()",
        &format!("format.dns1123Label().validate('contains a space').value() == ['{LABEL}']"),
        "format.qualifiedName().validate('contains a space').value()[0].startsWith('name part must consist of')",
    ]);
}

/// What a policy's expressions may ask: whoever writes may do this and that.
#[test]
fn authorizers() {
    use crate::{Authorizer, Budget, Check, Decision, Env, Type, Value};

    let decide = |check: &Check| {
        let who = check.account.as_ref().map_or("user".to_owned(), |(space, name)| format!("{space}/{name}"));
        let what = check.path.clone().unwrap_or_else(|| {
            let part = if check.subresource.is_empty() { "" } else { "/" };
            let Check { group, resource, subresource, namespace, name, .. } = check;
            format!("{group}:{resource}{part}{subresource}:{namespace}:{name}")
        });
        let asked = format!("{who} {} {what}", check.verb);
        let known = [
            "user get /healthz",
            "user create :pods:shop:",
            "user update apps:deployments/scale:shop:web",
            "shop/robot list :secrets::",
        ];
        let error = check.verb.is_empty().then(|| "nothing is asked".to_owned());
        Decision { allowed: known.contains(&asked.as_str()), reason: asked, error }
    };
    let authorizer = Authorizer::new(decide);
    let of = |name: &str| Type::named(&format!("kubernetes.authorization.{name}"));
    let env = Env::new([("authorizer", of("Authorizer")), ("authorizer.requestResource", of("ResourceCheck"))]);
    let requested = Check { resource: "pods".into(), namespace: "shop".into(), ..Check::default() };
    let value = |text: &str| {
        let checked = env.compile(text).unwrap_or_else(|issues| panic!("{text}: {issues}"));
        let mut budget = Budget::of(1_000_000);
        let names = |name: &str| match name {
            "authorizer" => Some(Ok(authorizer.value())),
            "authorizer.requestResource" => Some(Ok(authorizer.resource(requested.clone()))),
            _ => None,
        };
        let value = checked.program.evaluate(&names, &mut budget).map(|value| value.json());
        (value.map_err(|error| error.to_string()), budget.spent())
    };
    for text in [
        "authorizer.path('/healthz').check('get').allowed() && !authorizer.path('/other').check('get').allowed()",
        "authorizer.group('').resource('pods').namespace('shop').check('create').allowed()",
        "authorizer.requestResource.check('create').allowed() && !authorizer.requestResource.check('delete').allowed()",
        "authorizer.group('apps').resource('deployments').subresource('scale').namespace('shop').name('web')\
         .check('update').allowed()",
        "authorizer.serviceAccount('shop', 'robot').group('').resource('secrets').check('list').allowed()",
        "authorizer.requestResource.fieldSelector('spec.nodeName=a').labelSelector('((').check('create').allowed()",
        "authorizer.requestResource.check('').errored() && authorizer.requestResource.check('').error() == 'nothing is asked'",
        "authorizer.path('/x').check('get').reason() == 'user get /x' && authorizer.path('/x').check('get').error() == ''",
    ] {
        assert_eq!(value(text).0, Ok(true.into()), "{text}");
    }
    for (text, why) in [
        ("authorizer.path(' ').check('get').allowed()", "path must not be empty"),
        ("authorizer.group('').resource('').check('get').allowed()", "resource must not be empty"),
        ("authorizer.serviceAccount('shop', 'a@b').path('/').check('get').allowed()", "Invalid service account name"),
        ("authorizer.serviceAccount('a.b', 'c').path('/').check('get').allowed()", "Invalid service account namespace"),
    ] {
        assert_eq!(value(text).0, Err(why.to_owned()), "{text}");
    }
    // Asking is dear: two checks fit what one expression may cost, three do not.
    let check = "authorizer.path('/x').check('get').allowed()";
    assert!(value(check).1 >= 350_000);
    assert!(
        value(&format!("{check} || {check}")).0.is_ok() && value(&format!("{check} || {check} || {check}")).0.is_err()
    );
    assert!(env.compile("authorizer.resource('pods')").is_err() && env.compile("authorizer.foo").is_err());
    // Whoever has nobody to ask is told so when the expression is compiled.
    assert!(Env::new([]).compile(check).is_err());
    let nobody = env.compile(check).expect("it compiles");
    assert!(nobody.program.evaluate(&|_: &str| None::<Result<Value<'_>, crate::Error>>, &mut Budget::of(1)).is_err());
}
