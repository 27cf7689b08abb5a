"""Starting and stopping, with a camera, a viewer and a caller at work: exit code 0, each time, and the next start finds all in order."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from camera import Camera, devices, passages  # noqa: E402
from city import City  # noqa: E402


class Stop(unittest.TestCase):
    def test_stops_cleanly_at_any_moment(self):
        city = City()
        self.addCleanup(city.close)
        device = devices(city.city)[0]
        for life in range(8):
            city.start()
            city.sign_in("mayor")
            with open(os.path.join(city.data, "secrets", "camera"), encoding="ascii") as secret:
                camera = Camera(city.port, device, secret.read().split()[0])
            self.assertEqual(len(camera.send(passages(device, 20, life))), 20)
            viewer = city.opener.open(f"{city.url}/cockpit/v1/live?area=hangzhou", timeout=30)
            time.sleep(0.25 * (life % 4))
            code = city.stop()
            viewer.close()
            camera.close()
            self.assertEqual(code, 0, city.log("brain")[-3000:])

    def test_a_busy_port_is_one_clear_line(self):
        with City() as city:
            result = city.citybrain("run", city.city, "--data", city.data + "-second", "--port", str(city.port))
            self.assertEqual(result.returncode, 2)
            lines = result.stderr.strip().splitlines()
            self.assertEqual(len(lines), 1, result.stderr)
            self.assertIn(str(city.port), lines[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
