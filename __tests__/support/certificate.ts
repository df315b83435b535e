// Self-signed certificates for servers on loopback, made when they are needed: Node can sign, but not put a certificate together (X.509, RFC 5280).

import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8 = 0x0c;
const TIME = 0x18;

/** DER: a tag, the length, the content. */
function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.byteLength;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >>> 8, size & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/** Object identifiers, as they are encoded. */
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const COMMON_NAME = oid('550403');
const SUBJECT_ALT_NAME = oid('551d11');
const ECDSA_WITH_SHA256 = der(SEQUENCE, oid('2a8648ce3d040302'));

function time(date: Date): Buffer {
  return der(TIME, Buffer.from(`${date.toISOString().replace(/[-:T]|\..*/g, '')}Z`));
}

/** A certificate for an IPv4 address and its key, as PEM; `days` from now to its end, counted backwards too. */
export function selfSigned(address = '127.0.0.1', days = 1): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8, Buffer.from('fused-compat test')))));
  const day = 86_400_000;
  const validity = der(SEQUENCE, time(new Date(Date.now() - 10 * day)), time(new Date(Date.now() + days * day)));
  const names = der(SEQUENCE, der(0x87, Buffer.from(address.split('.').map(Number))));
  const extensions = der(0xa3, der(SEQUENCE, der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTET_STRING, names))));
  const serial = der(INTEGER, Buffer.from([1]), randomBytes(8));
  const version = der(0xa0, der(INTEGER, Buffer.from([2])));
  const key = publicKey.export({ type: 'spki', format: 'der' });
  const signed = der(SEQUENCE, version, serial, ECDSA_WITH_SHA256, name, validity, name, key, extensions);
  const signature = createSign('sha256').update(signed).sign(privateKey);
  const whole = der(SEQUENCE, signed, ECDSA_WITH_SHA256, der(BIT_STRING, Buffer.from([0]), signature));
  const lines = whole.toString('base64').replace(/.{64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}
