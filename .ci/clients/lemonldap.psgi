# A portal of LemonLDAP::NG that signs people in with Pro Santé Connect, set as
# the page authopenidconnect_prosanteconnect of its manual says, with the acr of
# today, eidas1, in place of eidas2. In Debian 12 it has neither PKCE nor
# tls_client_auth for this; it shows its certificate and sends its secret, as
# ANS's Apache does.
#
# Environment: PORT, DIR (for its files), ISSUER, CA, CERT (client certificate and
# key in one file), SECRET, WAY (client_secret_post or client_secret_basic),
# ACCEPT (values of acr).
use strict;
use warnings;
use JSON;
use LWP::UserAgent;
use Lemonldap::NG::Portal::Main;

# Nobody types a password here; the module that comes with the portal would draw
# in libraries for its pictures.
package NoCaptcha {
    use Mouse;
    extends 'Lemonldap::NG::Portal::Main::Plugin';
    sub init { 1 }
    $INC{'NoCaptcha.pm'} = __FILE__;
}

# The portal asks for the values of acr that it accepts. Pro Santé Connect wants
# to be asked for eidas1 and nothing else, and answers eidas2 for cards: whoever
# is to accept both must ask for less than is set.
package AskForEidas1 {
    use Mouse;
    use Lemonldap::NG::Portal::Main::Constants 'PE_OK';
    extends 'Lemonldap::NG::Portal::Main::Plugin';
    use constant hook => { oidcGenerateAuthenticationRequest => 'ask' };
    sub init { 1 }
    sub ask { $_[3]->{acr_values} = 'eidas1'; PE_OK }
    $INC{'AskForEidas1.pm'} = __FILE__;
}

my %tls = (
    SSL_ca_file   => $ENV{CA},
    SSL_cert_file => $ENV{CERT},
    SSL_key_file  => $ENV{CERT},
);
my $ua = LWP::UserAgent->new( ssl_opts => {%tls} );

sub fetch {
    my $answer = $ua->get(shift);
    $answer->is_success or die $answer->status_line;
    return $answer->decoded_content;
}
my $metadata = fetch("$ENV{ISSUER}/.well-known/wallet-openid-configuration");

my $sessions = "$ENV{DIR}/sessions";
my $storage  = 'Apache::Session::File';
my %place    = ( Directory => $sessions, LockDirectory => "$sessions/lock" );
my @claims   = qw(SubjectNameID given_name family_name SubjectRefPro);

my %conf = (
    cfgNum  => 1,
    cfgDate => time,

    portal                   => "http://localhost:$ENV{PORT}/",
    domain                   => 'localhost',
    securedCookie            => 0,
    key                      => $ENV{SECRET},
    locationRules            => { localhost => { default => 'accept' } },
    globalStorage            => $storage,
    globalStorageOptions     => {%place},
    persistentStorage        => $storage,
    persistentStorageOptions => {%place},
    localSessionStorage      => undef,
    loginHistoryEnabled      => 0,

    authentication => 'OpenIDConnect',
    userDB         => 'Same',
    passwordDB     => '',
    macros         => {},
    exportedVars   => {},
    whatToTrace    => '_user',
    captcha        => 'NoCaptcha',
    customPlugins  => $ENV{ACCEPT} eq 'eidas1' ? '' : 'AskForEidas1',

    # The program that signs in reads its session as an application would.
    restSessionServer => 1,
    exportedAttr      => join( ' ', @claims, '_user', '_oidc_id_token' ),

    lwpSslOpts => {%tls},
    lwpOpts    => { timeout => 4 }, # seconds without a byte; its default is three minutes

    oidcOPMetaDataJSON         => { 'psc-connect' => $metadata },
    oidcOPMetaDataJWKS         => { 'psc-connect' => fetch( decode_json($metadata)->{jwks_uri} ) },
    oidcOPMetaDataExportedVars => { 'psc-connect' => { map { $_ => $_ } @claims } },
    oidcOPMetaDataOptions      => {
        'psc-connect' => {
            oidcOPMetaDataOptionsClientID                => "lemonldap-$ENV{WAY}",
            oidcOPMetaDataOptionsClientSecret            => $ENV{SECRET},
            oidcOPMetaDataOptionsTokenEndpointAuthMethod => $ENV{WAY},
            oidcOPMetaDataOptionsScope                   => 'openid scope_all',
            oidcOPMetaDataOptionsAcrValues               => $ENV{ACCEPT},
            oidcOPMetaDataOptionsUseNonce                => 1,
            oidcOPMetaDataOptionsCheckJWTSignature       => 1,
            oidcOPMetaDataOptionsStoreIDToken            => 1,
        }
    },
);
open my $file, '>', "$ENV{DIR}/lmConf-1.json" or die $!;
print $file encode_json( \%conf );
close $file or die $!;

Lemonldap::NG::Portal::Main->run(
    {
        configStorage => { type => 'File', dirName => $ENV{DIR} },
        templateDir   => '/usr/share/lemonldap-ng/portal/templates',
        staticPrefix  => '/static',
        logLevel      => 'error',
        logger        => 'Lemonldap::NG::Common::Logger::Std',
    }
);
