// oidc-provider as it comes, with its own pages for a sign-in and a consent.
import Provider from 'oidc-provider';

const [port, client_id, client_secret, redirect] = process.argv.slice(2);
new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id, client_secret, redirect_uris: [redirect],
    token_endpoint_auth_method: 'client_secret_post',
  }],
  cookies: { keys: ['bench'] },
}).listen(Number(port), '127.0.0.1');
