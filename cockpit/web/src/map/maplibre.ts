// MapLibre with its worker as a file of our own build: nothing is loaded from another place, and no blob is run.
import { Map, setWorkerUrl } from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import 'maplibre-gl/dist/maplibre-gl.css';

setWorkerUrl(new URL(workerUrl, location.href).href);

export type { GeoJSONSource, MapGeoJSONFeature, MapMouseEvent } from 'maplibre-gl';
export type { Map } from 'maplibre-gl';
export default { Map };
